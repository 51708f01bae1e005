"""What early stopping saves and what it destroys, replayed on the recorded curves of labs.

    python bench/early_stopping.py LAB [LAB...] [--orders 20] [--limit 0.05]

The labs' runs are treated as the record of one lab and replayed in random orders, the runs of one commit together. A
rule sees of a run only its curve so far and of the past only what it would have left: a stopped run has no score to
learn from, and its commit gets no more seeds. Only screens are stopped; the time saved is counted over the budgets of
all runs. A false kill is a stopped screen that was promoted or scored better than its baseline's mean. Rules that were
made for curves of one task see the gap to the run's own baseline in place of the loss, since the baseline moves.

The last line is what a rule could save that knows every outcome and stops the others at the first checkpoint.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from recorded_runs import NoLab, RecordedRun, runs_of

from orchestrator.stopping import CHECKPOINTS, Condemned, Record, Rule, drawn_for_audit, learn, take_stock
from orchestrator.stopping.audit import AUDITED

FIRST_FIXED = 0.3
"""Share of the budget before which a fixed margin is not asked for: early gaps are large whatever a run is worth."""


@dataclass(slots=True)
class Tally:
    """What a rule did in one order. Shares are of the budget's seconds."""

    condemned: int = 0
    came_back: int = 0
    promoted: int = 0  # of those that came back
    stopped: int = 0
    saved: float = 0.0


class Contestant(Protocol):
    def verdict(self, run: RecordedRun) -> float | None:
        """The share of its budget at which the run is condemned, None when it is not."""

    def finishes(self, run: RecordedRun) -> bool:
        """Whether a condemned run is finished all the same."""

    def ended(self, run: RecordedRun, condemned: bool) -> None:
        """Told of every run that finished."""

    def stopped(self, run: RecordedRun, saved: float) -> None:
        """Told of every run that was stopped."""


@dataclass(slots=True)
class Plain:
    """A rule without audit: a test of the gaps so far against those of the finished runs."""

    test: Callable[[list[float], list[list[float]], float], bool]
    first: float = CHECKPOINTS[0]
    past: list[list[float]] = field(default_factory=list)

    def verdict(self, run: RecordedRun) -> float | None:
        sizes = _sizes(run)
        for number, share in enumerate(CHECKPOINTS):
            if share >= self.first and self.test(sizes[: number + 1], self.past, share):
                return share
        return None

    def finishes(self, run: RecordedRun) -> bool:
        return False

    def ended(self, run: RecordedRun, condemned: bool) -> None:
        self.past.append(_sizes(run))

    def stopped(self, run: RecordedRun, saved: float) -> None:
        pass


@dataclass(slots=True)
class Audited:
    """This package's rule with its audit, as the engine runs it."""

    lab_id: str
    limit: float
    records: list[Record] = field(default_factory=list)
    past: list[Condemned] = field(default_factory=list)
    rule: Rule | None = None
    spared: int | None = None  # the run that was let finish last, for the rule was suspended

    def verdict(self, run: RecordedRun) -> float | None:
        assert run.gaps is not None
        if self.rule is None:
            self.rule = learn(self.records, self.limit)
        share = next((gap.share for gap in run.gaps if gap is not None and self.rule.breach(gap) is not None), None)
        if share is not None and take_stock(self.past, self.rule, limit=self.limit).suspended is not None:
            self.spared = run.run_id
            return None
        return share

    def finishes(self, run: RecordedRun) -> bool:
        return drawn_for_audit(self.lab_id, run.run_id)

    def ended(self, run: RecordedRun, condemned: bool) -> None:
        assert run.record is not None
        self.rule = None
        self.records.append(replace(run.record, weight=1 / AUDITED) if condemned else run.record)
        if condemned or run.run_id == self.spared:
            self.past.append(Condemned(run.run_id, audited=True, came_back=run.record.came_back))

    def stopped(self, run: RecordedRun, saved: float) -> None:
        self.past.append(Condemned(run.run_id, audited=False, seconds_saved=saved))


def fixed(margin: float) -> Callable[[list[float], list[list[float]], float], bool]:
    """Stop when the gap is above a constant."""
    return lambda sizes, past, share: sizes[-1] > margin


def median_rule(sizes: list[float], past: list[list[float]], share: float) -> bool:
    """Stop when the best so far is worse than the median of the finished runs' running averages (Golovin 2017)."""
    if len(past) < 5:
        return False
    return min(sizes) > statistics.median(statistics.fmean(other[: len(sizes)]) for other in past)


def halving(sizes: list[float], past: list[list[float]], share: float) -> bool:
    """Stop at 25 % and at 50 % of the budget what is not in the better half there (after Li 2020, factor 2)."""
    if share not in (0.25, 0.5) or len(past) < 5:
        return False
    return sizes[-1] > statistics.median(other[len(sizes) - 1] for other in past)


def _sizes(run: RecordedRun) -> list[float]:
    """The gaps, one that cannot be told as the one before it."""
    sizes: list[float] = []
    for gap in run.gaps or ():
        sizes.append(gap.size if gap is not None else (sizes[-1] if sizes else 0.0))
    return sizes


def replayed(groups: Sequence[Sequence[RecordedRun]], contestant: Contestant) -> Tally:
    """One order of the commits, each with its runs in the order they ran in."""
    tally = Tally()
    for group in groups:
        for run in group:
            if run.record is None:
                continue
            share = contestant.verdict(run) if run.is_screen else None
            if share is not None:
                tally.condemned += 1
                tally.came_back += run.record.came_back
                tally.promoted += run.promoted
                if not contestant.finishes(run):
                    tally.stopped += 1
                    tally.saved += run.seconds * (1 - share)
                    contestant.stopped(run, run.seconds * (1 - share))
                    break
            contestant.ended(run, share is not None)
    return tally


def orders_of(runs: Sequence[RecordedRun], number: int) -> list[list[list[RecordedRun]]]:
    groups: dict[str, list[RecordedRun]] = {}
    for run in runs:
        groups.setdefault(run.commit, []).append(run)
    return [random.Random(order).sample(list(groups.values()), len(groups)) for order in range(number)]


def table(runs: Sequence[RecordedRun], orders: int, limit: float) -> str:
    every, screens = sum(run.seconds for run in runs), sum(run.seconds for run in runs if run.is_screen)
    contestants: dict[str, Callable[[int], Contestant]] = {
        "audited rule": lambda order: Audited(f"order {order}", limit),
        "median rule": lambda order: Plain(median_rule),
        "halving": lambda order: Plain(halving),
        "fixed margin 0.05": lambda order: Plain(fixed(0.05), first=FIRST_FIXED),
        "fixed margin 0.1": lambda order: Plain(fixed(0.1), first=FIRST_FIXED),
        "fixed margin 0.2": lambda order: Plain(fixed(0.2), first=FIRST_FIXED),
    }
    lines = [
        f"{'rule':18} {'saved of all':>12} {'of screens':>11} {'condemned':>10} {'stopped':>8}"
        f" {'false kills':>12} {'promotions':>11}"
    ]
    replays = orders_of(runs, orders)
    for name, make in contestants.items():
        tallies = [replayed(groups, make(order)) for order, groups in enumerate(replays)]
        saved = statistics.fmean(tally.saved for tally in tallies)
        condemned = statistics.fmean(tally.condemned for tally in tallies)
        back = statistics.fmean(tally.came_back for tally in tallies)
        rate = f"{back / condemned:.1%}" if condemned else "-"
        lines.append(
            f"{name:18} {saved / every:12.1%} {saved / screens:11.1%} {condemned:10.1f}"
            f" {statistics.fmean(tally.stopped for tally in tallies):8.1f} {rate:>12}"
            f" {statistics.fmean(tally.promoted for tally in tallies):11.2f}"
        )
    hopeless = [run for run in runs if run.is_screen and run.record is not None and not run.record.came_back]
    most = sum(run.seconds for run in hopeless) * (1 - CHECKPOINTS[0])
    lines.append(
        f"{'all-knowing':18} {most / every:12.1%} {most / screens:11.1%} {len(hopeless):10.1f} {len(hopeless):8.1f}"
        f" {0:12.1%} {0:11.2f}"
    )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("labs", nargs="+", type=Path, metavar="LAB")
    parser.add_argument("--orders", type=int, default=20, help="random orders to replay (default 20)")
    parser.add_argument("--limit", type=float, default=0.05, help="of the false-kill rate (default 0.05)")
    given = parser.parse_args(arguments)
    try:
        runs = [run for number, lab in enumerate(given.labs) for run in runs_of(lab, number * 1_000_000)]
    except NoLab as problem:
        print(problem, file=sys.stderr)
        return 2
    screens = [run for run in runs if run.is_screen]
    if not screens or given.orders < 1:
        print(
            "there is nothing to replay: give labs with scored screening runs, and at least one order", file=sys.stderr
        )
        return 2
    back = sum(run.record.came_back for run in screens if run.record is not None)
    print(
        f"{len(runs)} scored runs of {len(given.labs)} labs, {len(screens)} of them screens, {back} of which ended"
        f" better than their baseline or were promoted; {given.orders} random orders"
    )
    print(table(runs, given.orders, given.limit))
    return 0


if __name__ == "__main__":
    sys.exit(main())

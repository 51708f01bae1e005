"""The verbs that only read: status, queue, results, show, log, diff, export, doctor."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from orchestrator import views
from orchestrator.balance import balance_of
from orchestrator.cli.tables import print_facts, print_table
from orchestrator.columns import Column
from orchestrator.doctor import examine
from orchestrator.errors import LabError, UsageError
from orchestrator.lab import Lab, find_lab
from orchestrator.report.completion import completions
from orchestrator.runs.log_text import read_log
from orchestrator.settings import read_settings
from orchestrator.store.filters import understood
from orchestrator.store.reader import Reader
from orchestrator.store.records import Experiment, Run
from orchestrator.store.states import State, beside
from orchestrator.store.vault import vault_scores
from orchestrator.tracking import results_files
from orchestrator.tracking.results_files import UNSANDBOXED

T = TypeVar("T")

SIMPLIFIES = " [simplification]"
MOST_ANOMALIES = 3

QUEUE_COLUMNS = (
    Column("id", 4, right=True),
    Column("state", 8),
    Column("priority", 8, right=True, rank=2),
    Column("title", 24, share=3),
    Column("source", 20, share=2, rank=3),
    Column("reason", 24, share=3, rank=1),
)
RESULT_COLUMNS = (
    Column("id", 4, right=True),
    Column("state", 8),
    Column("val_bpb", 7, right=True),
    Column("delta", 7, right=True),
    Column("believed", 8, right=True, rank=2),
    Column("vault", 6, right=True, rank=3),
    Column("runs", 4, right=True, rank=4),
    Column("title", 24, share=2),
    Column("reason", 24, share=3, rank=1),
)


def ask(lab: Lab, question: Callable[[Reader], Awaitable[T]]) -> T:
    """Open the lab's database for one question."""

    async def asked() -> T:
        async with Reader(lab.database) as reader:
            return await question(reader)

    return asyncio.run(asked())


def print_json(value: object) -> None:
    """A value as people and programs read it, on standard output."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def _number(value: float | None, form: str = ".4f") -> str:
    return "-" if value is None else format(value, form)


def status(words: Namespace) -> int:
    lab = find_lab(words.lab)
    settings = read_settings(lab.settings_file)
    facts = ask(lab, lambda reader: views.status_json(lab, reader, settings.team_names))
    completed, teams = ask(lab, completions), settings.teams_at_work
    balances = {team.name: ask(lab, partial(balance_of, team=team)) for team in teams}
    if words.json:
        first, *others = [balance.as_json() for balance in balances.values()]
        more: dict[str, Any] = {"completion": [one.as_json() for one in completed], "balance": first}
        if others:
            more["balances"] = {name: balance.as_json() for name, balance in balances.items()}
        print_json({**facts, **more})
        return 0
    baseline, running = ask(lab, views.baseline_of), facts["running"]
    silent = ask(lab, views.dead_endpoints) if running else {}
    lines = [*_standing(facts, baseline)]
    if account := ask(lab, lambda reader: reader.meta(views.EARLY_STOPPING)):
        lines.append(("stopping", account))
    lines.append(("vault", ask(lab, views.vault_account)))
    lines += [("model", f"{url} {reason}; it is tried again by itself") for url, reason in silent.items()]
    for event in ask(lab, lambda reader: reader.newest_events("anomaly", MOST_ANOMALIES)):
        lines.append(("look at", f"{event.at[:16].replace('T', ' ')} {event.reason}"))
    for slot in facts["slots"]:
        work = f"run {slot['run']}" if slot["run"] is not None else "idle now"
        lines.append(("slot", f"{slot['name']}  {work}, busy {slot['busy_fraction']:.0%} of the last hour"))
    counts = ", ".join(f"{n} {state}" for state, n in facts["counts"].items() if n)
    lines.append(("counts", counts))
    if earlier := ask(lab, lambda reader: reader.history_counts()):
        tally = ", ".join(f"{n} {status}" for status, n in earlier.items())
        lines.append(
            ("earlier", f"{sum(earlier.values())} results imported (`autolab earlier`), which the agents see: {tally}")
        )
    lines.append(("spent", f"{facts['tokens']} tokens, {facts['money']:.2f} of money"))
    for name, balance in balances.items():
        lines.append(("balance", f"{f'{name}: ' if len(balances) > 1 else ''}{balance.told}"))
    for one in completed:
        lines.append(("finished", f"{one.finished} of {one.jobs} jobs ({one.rate:.0%}) as {one.role}: {one.model}"))
    print_facts(lines)
    return 0


def _standing(facts: dict[str, Any], baseline: views.Baseline) -> list[tuple[str, str]]:
    """Which lab it is, whether its daemon lives, and how far its master has come."""
    master = facts["master"]
    daemon = f"running (process {facts['pid']})" if facts["running"] else "not running; `autolab start` starts it"
    lines = [
        ("lab", f"{facts['lab']}  (profile {facts['profile']}, team {facts['team']})"),
        ("daemon", f"{daemon}{'; the queue is paused' if facts['paused'] else ''}"),
        (
            "master",
            f"{(master['commit'] or '-')[:9]}  val_bpb {_number(master['val_bpb'])}"
            f" (mean of {master['runs']} runs, noise {_number(master['noise'])})",
        ),
    ]
    if baseline.gain is not None and baseline.believed is not None:
        wins = f"{baseline.promotions} promotion{'s' * (baseline.promotions != 1)}"
        told = f"{baseline.gain:.4f} since the start, {baseline.believed:.4f} of it believed"
        lines.append(("gain", f"{told}; {wins}, {baseline.expected_false:.1f} expected to be false"))
    return lines


def _lab_of_table(words: Namespace) -> Lab:
    """The lab of a table; a filter where the lab belongs is told where it goes."""
    if words.lab is not None and any(sign in words.lab for sign in "=<>~") and not Lab(Path(words.lab)).root.exists():
        raise UsageError(f"`{words.lab}` is no lab but a filter.", f"autolab {words.verb} --where '{words.lab}'")
    return find_lab(words.lab)


def _standing_of(experiment: dict[str, Any]) -> str:
    """Its state as people read it; a start is part of master before it is measured."""
    unmeasured = experiment["state"] == State.PROMOTED and experiment["val_bpb"] is None
    return "unmeasured" if unmeasured else str(experiment["state"]).replace("_", " ")


def _why(experiment: dict[str, Any]) -> str:
    return beside(experiment["state"], experiment["reason"])


def queue(words: Namespace) -> int:
    only = understood(words.where)
    waiting = ask(_lab_of_table(words), lambda reader: views.queue_json(reader, only))
    if words.json:
        print_json(waiting)
    elif waiting:
        print_table(
            QUEUE_COLUMNS,
            [(e["id"], _standing_of(e), e["priority"], e["title"], e["source"], _why(e)) for e in waiting],
        )
    else:
        print("Nothing that waits matches." if only.terms else "Nothing waits for a run.")
    return 0


def results(words: Namespace) -> int:
    lab = _lab_of_table(words)
    only = understood(words.where)
    found = ask(lab, lambda reader: views.results_json(reader, only))
    if words.json:
        print_json(found)
    else:
        beliefs = ask(lab, views.beliefs_of)
        vault, shorter = ask(lab, views.vault_means), ask(lab, views.simplifications)
        print_table(
            RESULT_COLUMNS,
            [
                (
                    e["id"],
                    _standing_of(e),
                    _number(e["val_bpb"]),
                    _number(e["delta"], "+.4f"),
                    _number(-beliefs[e["id"]].gain if e["id"] in beliefs else None, "+.4f"),
                    _number(vault.get(e["id"])),
                    sum(run["val_bpb"] is not None for run in e["runs"]),
                    e["title"] + SIMPLIFIES * (e["id"] in shorter) + UNSANDBOXED * e.get("unsandboxed", False),
                    _why(e),
                )
                for e in found
            ],
        )
    return 0


async def _known(reader: Reader, experiment_id: int) -> Experiment:
    experiment = await reader.experiment(experiment_id)
    if experiment is None:
        raise LabError(f"There is no experiment {experiment_id}.", "`autolab results` and `autolab queue` list them.")
    return experiment


async def _story(reader: Reader, experiment_id: int) -> dict[str, Any]:
    experiment = await _known(reader, experiment_id)
    runs = await reader.runs_of(experiment_id)
    events = await reader.events(experiment_id=experiment_id)
    scores = await vault_scores(reader)
    return {
        **views.result_json(experiment, runs, await views.is_self_reported(reader)),
        "variable": experiment.variable,
        "edit": experiment.edit,
        "author": experiment.author,
        "priority": experiment.priority,
        "attempt": experiment.attempt,
        "promoted_as": experiment.promoted_as or None,
        "vault": await views.vault_word(reader, experiment),
        "all_runs": [
            {
                "id": run.id,
                "attempt": run.attempt,
                "kind": str(run.kind),
                "seed": run.seed,
                "commit": run.commit_id,
                "slot": run.slot,
                "outcome": run.outcome,
                "reason": run.reason,
                "val_bpb": run.val_bpb,
                "vault_bpb": scores[run.id].bpb if run.id in scores else None,
                "steps": run.steps,
                "startup_seconds": run.startup_seconds,
                "training_seconds": run.training_seconds,
                "scoring_seconds": run.scoring_seconds,
                "peak_memory": run.peak_memory,
                "tokens": run.tokens,
                "exit_code": run.exit_code,
                "device": run.device,
                "sandbox": run.sandbox,
                "provenance": run.provenance,
                "started_at": run.started_at,
                "ended_at": run.ended_at,
            }
            for run in runs
        ],
        "events": [
            {"at": event.at, "actor": event.actor, "before": event.before, "after": event.after, "reason": event.reason}
            for event in events
        ],
    }


def show(words: Namespace) -> int:
    story = ask(find_lab(words.lab), lambda reader: _story(reader, words.id))
    if words.json:
        print_json(story)
        return 0
    print(f"experiment {story['id']}: {story['title']}")
    facts = [("state", _standing_of(story)), ("reason", _why(story))]
    names = ("hypothesis", "source", "variable", "edit", "author", "branch", "commit", "parent")
    facts += [(name, str(story[name])) for name in names]
    facts.append(("val_bpb", f"{_number(story['val_bpb'])}  ({_number(story['delta'], '+.4f')} against its parent)"))
    facts += [("promoted", f"as a {story['promoted_as']}" if story["promoted_as"] else ""), ("vault", story["vault"])]
    facts += [(f"run {run['id']}", _run_told(run)) for run in story["all_runs"]]
    print_facts([(name, said) for name, said in facts if said], indent=2)
    print("events (UTC)")
    print_facts(
        [(event["at"][:19].replace("T", " "), _event_told(event)) for event in _once(story["events"])], indent=2
    )
    return 0


def _run_told(run: dict[str, Any]) -> str:
    told = f"{run['kind']}, seed {run['seed']}, {run['slot']}, "
    if run["outcome"] == "scored":
        vault = "" if run["vault_bpb"] is None else f" (vault {run['vault_bpb']:.4f})"
        return told + f"scored {_number(run['val_bpb'])}{vault}"
    return told + (f"{run['outcome']}: {beside(run['outcome'], run['reason'])}" if run["outcome"] else "under way")


def _event_told(event: dict[str, Any]) -> str:
    return f"{event['actor']}: {event['reason']}"


def _once(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A run that starts, or a master that moves, is told as such and as the experiment's new state: one will do."""
    pairs = zip([None, *events], events, strict=False)
    return [one for before, one in pairs if before is None or _event_told(one) != _event_told(before)]


async def _newest_run(reader: Reader, experiment_id: int) -> Run:
    await _known(reader, experiment_id)
    runs = await reader.runs_of(experiment_id)
    if not runs:
        raise LabError(f"Experiment {experiment_id} has not run yet.", "Its patch: `autolab diff`.")
    return runs[-1]


def log(words: Namespace) -> int:
    lab = find_lab(words.lab)
    run = ask(lab, lambda reader: _newest_run(reader, words.id))
    path = lab.run_directory(run.id) / "log"
    text = read_log(path) if path.exists() else ""
    if words.json:
        print_json({"run": run.id, "text": text})
    else:
        sys.stdout.write(text if text.endswith("\n") or not text else text + "\n")
    return 0


def diff(words: Namespace) -> int:
    lab = find_lab(words.lab)
    experiment = ask(lab, lambda reader: _known(reader, words.id))
    text = ""
    if experiment.parent and experiment.commit_id:
        from orchestrator.branches import Repository

        text = Repository.open(lab.root).diff(experiment.parent, experiment.commit_id)
    if words.json:
        print_json({"id": experiment.id, "diff": text})
    elif not text:
        raise LabError(f"Experiment {experiment.id} has no patch yet.", "`autolab show` tells where it stands.")
    else:
        sys.stdout.write(text)
    return 0


def export(words: Namespace) -> int:
    lab = find_lab(words.lab)
    if words.format == "json":
        print_json(ask(lab, views.results_json))
        return 0
    if words.format == "tsv":
        sys.stdout.write(ask(lab, results_files.tsv))
        return 0
    text = io.StringIO()
    rows = ask(lab, views.results_json)
    columns = list(dict.fromkeys(key for row in rows or [{"id": 0}] for key in row if key != "runs"))
    table = csv.DictWriter(text, [*columns, "runs"], lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow({**row, "runs": " ".join(_number(run["val_bpb"], ".6f") for run in row["runs"])})
    sys.stdout.write(text.getvalue())
    return 0


def doctor(words: Namespace) -> int:
    try:
        lab: Lab | None = find_lab(words.lab)
    except LabError:
        if words.lab is not None:
            raise
        lab = None
    findings = examine(lab)
    if words.json:
        print_json([{"name": f.name, "ok": f.ok, "found": f.found, "remedy": f.remedy} for f in findings])
    else:
        for finding in findings:
            print(f"{'ok  ' if finding.ok else 'MIND'}  {finding.name}: {finding.found}")
            if finding.remedy and (not finding.ok or finding.name.startswith("model ")):
                print(f"      {finding.remedy}")
    return 0 if all(finding.ok or not finding.needed for finding in findings) else 1

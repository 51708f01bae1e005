"""The verbs that tell how a lab stands: status, doctor."""

from __future__ import annotations

import sys
from argparse import Namespace
from functools import partial
from typing import Any

from orchestrator import views
from orchestrator.balance import balance_of
from orchestrator.cli.asking import ask, number, print_json
from orchestrator.cli.hints import for_lab
from orchestrator.cli.saying import say
from orchestrator.cli.tables import print_facts
from orchestrator.doctor import examine
from orchestrator.errors import LabError
from orchestrator.figures import figure
from orchestrator.lab import Lab, find_lab
from orchestrator.marks import scores_told
from orchestrator.report.at_work import at_work
from orchestrator.report.completion import completions
from orchestrator.review.wins import ablations
from orchestrator.settings import read_settings
from orchestrator.store.ablations import counts_told
from orchestrator.store.anomalies import standing
from orchestrator.store.reader import Reader
from orchestrator.store.records import Command, Experiment, to_the_minute
from orchestrator.store.states import State
from orchestrator.team_settings import Team
from orchestrator.vault_words import vault_account

MOST_ANOMALIES = 3


def status(words: Namespace) -> int:
    lab = find_lab(words.lab)
    teams, wrong = _teams_at_work(lab)
    names = ", ".join(team.name for team in teams) or ask(lab, _teams_seen)
    facts = ask(lab, lambda reader: views.status_json(lab, reader, names))
    completed = ask(lab, completions)
    busy = ask(lab, at_work) if facts["running"] else []
    balances = {team.name: ask(lab, partial(balance_of, team=team)) for team in teams} or {"": ask(lab, balance_of)}
    halted = ask(lab, lambda reader: reader.meta(views.HALTED))
    orders = ask(lab, Reader.waiting_commands)
    baseline, account = ask(lab, views.baseline_of), ask(lab, lambda reader: reader.meta(views.EARLY_STOPPING))
    vault, to_look_at = ask(lab, vault_account), ask(lab, partial(standing, limit=MOST_ANOMALIES))
    if words.json:
        first, *others = [balance.as_json() for balance in balances.values()]
        more: dict[str, Any] = {"completion": [one.as_json() for one in completed], "balance": first}
        more["agents"] = [one.as_json() for one in busy]
        more["settings_error"] = wrong
        more["halted"] = halted or None
        more["stopping"] = facts["running"] and any(order.verb == "stop" for order in orders)
        more["orders"] = [{"at": order.at, "by": order.actor, "verb": order.verb} for order in orders]
        more["gain"] = {
            "since_start": baseline.gain,
            "believed": baseline.believed,
            "wins": baseline.promotions,
            "expected_false": baseline.expected_false,
        }
        more["early_stopping"], more["vault"] = account or None, vault
        more["anomalies"] = [{"at": event.at, "reason": event.reason} for event in to_look_at]
        if others:
            more["balances"] = {name: balance.as_json() for name, balance in balances.items()}
        print_json({**facts, **more})
        return 0
    running = facts["running"]
    silent = ask(lab, views.dead_endpoints) if running else {}
    ends = _ends(orders, facts) if running else ""
    lines = [*_standing(facts, baseline, ends)]
    if account:
        lines.append(("early stop", account))
    lines.append(("vault", vault))
    lines += [("model", f"{url} {reason}; it is tried again by itself") for url, reason in silent.items()]
    lines += [("resting", f"{team}: {why}" if team else why) for team, why in facts["resting"].items()]
    lines += [("order", _waits(order, running)) for order in orders]
    if halted:
        lines.append(("look at", f"nothing new {'starts' if running else 'could start'}: {halted}"))
    for event in to_look_at:
        lines.append(("look at", f"{event.at[:16].replace('T', ' ')} {event.reason}"))
    span = ask(lab, views.busy_window)
    paused = {slot.name for slot in ask(lab, Reader.slots) if slot.phase == "paused"} if running else set()
    for slot in facts["slots"]:
        work = f"run {slot['run']}" if slot["run"] is not None else "idle now"
        if slot["name"] in paused:
            work += ", paused"
        lines.append(("slot", f"{slot['name']}  {work}, busy {slot['busy_fraction']:.0%} of {span}"))
    lines += [("agent", one.told) for one in busy]
    if held := [agent.name for agent in ask(lab, Reader.agents) if agent.paused_by]:
        lines.append(("paused", ", ".join(held)))
    lines.append(
        ("counts", _counted(facts["counts"], ask(lab, ablations), ask(lab, Reader.promotions)) or "no experiment yet")
    )
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
    print_facts([(name, for_lab(told, lab)) for name, told in lines])
    return 0


def _waits(order: Command, running: bool) -> str:
    """An order that nobody has answered yet."""
    if running and order.verb == "stop":
        how = "kills the runs under way" if order.arguments.get("now") else "lets the runs under way finish first"
        return f"the lab is coming to its end and {how}, as {order.actor} ordered {to_the_minute(order.at)} UTC"
    what = "is being carried out" if running else "waits for the daemon; `autolab undo` takes back one's own"
    return f"{order.called} by {order.actor} {what}"


def _counted(counts: dict[str, int], measured: list[Experiment], promotions: list[Experiment]) -> str:
    """How many experiments are in each state. Starting points, which are promoted from the first, are none."""
    starts = sum(one.is_start for one in promotions)
    without_starts = {**counts, State.PROMOTED: counts.get(State.PROMOTED, 0) - starts}
    return ", ".join(counts_told(without_starts, measured, promotions))


def _teams_at_work(lab: Lab) -> tuple[tuple[Team, ...], str | None]:
    """None where `autolab.toml` cannot be read, and why: that is told, and everything else stands in the store."""
    try:
        return read_settings(lab.settings_file).teams_at_work, None
    except LabError as error:
        say(f"autolab: {for_lab(str(error), lab)}", to=sys.stderr)
        return (), str(error)


async def _teams_seen(reader: Reader) -> str:
    return ", ".join(dict.fromkeys(agent.team for agent in await reader.agents()))


def _ends(orders: list[Command], facts: dict[str, Any]) -> str:
    """That the lab is coming to its end, where somebody has ordered that."""
    stops = [order for order in orders if order.verb == "stop"]
    if not stops:
        return ""
    busy = sum(slot["run"] is not None for slot in facts["slots"])
    now = any(order.arguments.get("now") for order in stops)
    runs = f", {busy} run{'s' * (busy != 1)} to {'kill' if now else 'finish'} first" if busy else ""
    return f"; stopping{runs}" + ("" if now else ": `autolab start` calls that off")


def _standing(facts: dict[str, Any], baseline: views.Baseline, ends: str) -> list[tuple[str, str]]:
    """Which lab it is, whether its daemon lives, and how far its master has come."""
    master = facts["master"]
    daemon = f"running (process {facts['pid']})" if facts["running"] else "not running; `autolab start` starts it"
    lines = [
        ("lab", f"{facts['lab']}  (profile {facts['profile']}, team {facts['team'] or '-'})"),
        ("daemon", f"{daemon}{'; the queue is paused' if facts['paused'] else ''}{ends}"),
        (
            "master",
            f"{(master['commit'] or '-')[:9]}  {'score' if baseline.mark else 'val_bpb'} {number(master['val_bpb'])}"
            f" (mean of {master['runs']} runs, noise {number(master['noise'])})",
        ),
    ]
    if baseline.mark:
        lines.append(("scores", scores_told(baseline.mark)))
    if baseline.believed is not None:
        wins = f"{baseline.promotions} win{'s' * (baseline.promotions != 1)} in it"
        measured = "not known since the start, which was measured under other settings"
        if baseline.gain is not None:
            measured = f"{figure(baseline.gain)} since the start"
        told = f"{measured}; {figure(baseline.believed)} believed"
        lines.append(("gain", f"{told}; {wins}, {baseline.expected_false:.1f} expected to be false"))
    return lines


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
            say(f"{'ok  ' if finding.ok else 'MIND'}  {finding.name}: {finding.found}")
            if finding.remedy and (not finding.ok or finding.name.startswith("model ")):
                say(f"      {finding.remedy if lab is None else for_lab(finding.remedy, lab)}")
    return 0 if all(finding.ok or not finding.needed for finding in findings) else 1

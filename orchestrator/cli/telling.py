"""The verbs about one experiment: show, log, diff."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from orchestrator import views
from orchestrator.cli.asking import ask, number, print_json, state_word, why
from orchestrator.cli.saying import say, say_patch, write
from orchestrator.cli.tables import print_facts
from orchestrator.errors import LabError
from orchestrator.given import no_experiment
from orchestrator.lab import Lab, find_lab
from orchestrator.marks import is_self_reported, score_mark, scores_told
from orchestrator.review.happened import told_once
from orchestrator.runs import Outcome
from orchestrator.runs.log_text import read_log
from orchestrator.store.reader import Reader
from orchestrator.store.records import Event, Experiment, Run
from orchestrator.store.states import beside
from orchestrator.store.vault import vault_scores
from orchestrator.vault_words import vault_word


def require_present(lab: Lab, experiment_id: int, attempt: int) -> None:
    """Raise LabError unless this is the attempt that the experiment is at."""
    experiment = ask(lab, lambda reader: _known(reader, experiment_id))
    if attempt != experiment.attempt:
        over = 0 < attempt < experiment.attempt
        said = f"attempt {attempt} is over" if over else f"there is no attempt {attempt}"
        raise LabError(
            f"Experiment {experiment_id} is at attempt {experiment.attempt}; {said}.",
            f"`autolab show {experiment_id}` tells of all its runs.",
        )


async def _known(reader: Reader, experiment_id: int) -> Experiment:
    experiment = await reader.experiment(experiment_id)
    if experiment is None:
        raise no_experiment(experiment_id)
    return experiment


async def _story(reader: Reader, experiment_id: int) -> tuple[dict[str, Any], list[Event]]:
    """What `--json` prints, and the events as they are told to people."""
    experiment = await _known(reader, experiment_id)
    runs = await reader.runs_of(experiment_id)
    events = await reader.events(experiment_id=experiment_id)
    scores = await vault_scores(reader)
    story = {
        **views.result_json(experiment, runs, await is_self_reported(reader)),
        "variable": experiment.variable,
        "edit": experiment.edit,
        "author": experiment.author,
        "priority": experiment.priority,
        "attempt": experiment.attempt,
        "promoted_as": experiment.promoted_as or None,
        "taken_out_by": experiment.taken_out_by,
        "score_mark": await score_mark(reader),
        "vault": await vault_word(reader, experiment),
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
                "void": bool(run.void),
                "vault_bpb": scores[run.id].bpb if run.id in scores else None,
                "steps": run.steps,
                "startup_seconds": run.startup_seconds,
                "training_seconds": run.training_seconds,
                "scoring_seconds": run.scoring_seconds,
                "peak_memory": run.peak_memory,
                "tokens": run.tokens,
                "exit_code": run.exit_code,
                "device": run.device,
                "conditions": run.conditions,
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
    return story, told_once(events)


def show(words: Namespace) -> int:
    story, events = ask(find_lab(words.lab), lambda reader: _story(reader, words.id))
    if words.json:
        print_json(story)
        return 0
    several = story["attempt"] > 1
    attempt = f".{story['attempt']}" * several
    say(f"experiment {story['id']}{attempt}: {story['title']}")
    facts = [("state", state_word(story)), ("reason", why(story))]
    names = ("hypothesis", "source", "variable", "edit", "author", "branch", "commit", "parent")
    facts += [(name, "-" if story[name] is None else str(story[name])) for name in names]
    facts.append(("val_bpb", f"{number(story['val_bpb'])}  ({number(story['delta'], '+.4f')} against its parent)"))
    facts.append(("scores", scores_told(story["score_mark"])))
    facts += [("promoted", f"as a {story['promoted_as']}" if story["promoted_as"] else ""), ("vault", story["vault"])]
    facts += [
        (f"run {run['id']}", f"attempt {run['attempt']}, " * several + _run_told(run)) for run in story["all_runs"]
    ]
    print_facts([(name, said) for name, said in facts if said], indent=2, whole=("hypothesis",))
    say("events (UTC)")
    print_facts([(event.at[:19].replace("T", " "), _event_told(event)) for event in events], indent=2)
    return 0


def _run_told(run: dict[str, Any]) -> str:
    told = f"{run['kind']}, seed {run['seed']}, {run['slot']}, "
    if run["outcome"] == "scored":
        vault = "" if run["vault_bpb"] is None else f" (vault {run['vault_bpb']:.4f})"
        void = ", which counts nowhere" if run["void"] else ""
        return told + f"scored {number(run['val_bpb'])}{vault}{void}"
    return told + (f"{run['outcome']}: {beside(run['outcome'], run['reason'])}" if run["outcome"] else "under way")


def _event_told(event: Event) -> str:
    of = f"run {event.run_id} " if event.kind == "run" and event.after == Outcome.SCORED else ""
    return f"{event.actor}: {of}{event.reason}"


async def _newest_run(reader: Reader, experiment_id: int) -> Run:
    await _known(reader, experiment_id)
    runs = await reader.runs_of(experiment_id)
    if not runs:
        raise LabError(
            f"Experiment {experiment_id} has not run yet.", f"`autolab show {experiment_id}` tells where it stands."
        )
    return runs[-1]


def log(words: Namespace) -> int:
    lab = find_lab(words.lab)
    run = ask(lab, lambda reader: _newest_run(reader, words.id))
    path = lab.run_directory(run.id) / "log"
    text, yet = read_log(path) if path.exists() else "", "" if run.ended else " yet"
    if words.json:
        print_json({"run": run.id, "text": text})
    elif text:
        write(text if text.endswith("\n") else text + "\n")
    elif path.exists():
        say(f"autolab: Run {run.id} of experiment {words.id} has printed nothing{yet}.", to=sys.stderr)
    else:
        raise LabError(
            f"There is no log of run {run.id} of experiment {words.id}{yet}: {path} is missing.",
            f"`autolab show {words.id}` tells what is known of it.",
        )
    return 0


def diff(words: Namespace) -> int:
    lab = find_lab(words.lab)
    experiment = ask(lab, lambda reader: _known(reader, words.id))
    text = experiment.patch or ""
    if experiment.parent and experiment.commit_id:
        from orchestrator.branches import Repository

        text = Repository.open(lab.root).diff(experiment.parent, experiment.commit_id)
    if words.json:
        print_json({"id": experiment.id, "diff": text})
    elif not text:
        raise LabError(
            f"Experiment {experiment.id} has no patch.", f"`autolab show {experiment.id}` tells where it stands."
        )
    else:
        say_patch(text)
    return 0

"""A lab at work, with everything real: agents, git, SQLite, processes and training, at a budget of one second."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import psutil

from orchestrator.runs.identity import marked_processes
from tests.command_line import autolab
from tests.conftest import CLI, eventually, set_key

RESULT_FIELDS = {
    *("id", "title", "hypothesis", "state", "val_bpb", "delta", "runs", "branch", "commit", "parent", "team"),
    *("source", "self_reported", "reason"),
}


def told(root: Path, verb: str) -> object:
    answer = autolab(verb, "--json", str(root))
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def git(root: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True).stdout.strip()


def results(root: Path) -> list[dict[str, object]]:
    found = told(root, "results")
    assert isinstance(found, list)
    return found


def status(root: Path) -> dict[str, object]:
    found = told(root, "status")
    assert isinstance(found, dict)
    return found


def test_a_headless_lab_proposes_patches_trains_measures_and_merges(lab: Path) -> None:
    set_key(lab, "slots", "2")
    run = autolab("run", str(lab), "--experiments", "2", timeout=280)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "\x1b" not in run.stdout, "in a pipe there are plain lines only"

    found = results(lab)
    assert all(set(entry) == RESULT_FIELDS for entry in found)
    start = found[0]
    assert (start["id"], start["title"], start["state"], start["parent"]) == (0, "start", "promoted", None)
    assert [run["kind"] for run in start["runs"]] == ["baseline"] * 3  # type: ignore[union-attr, index, call-overload]
    ended = [e for e in found if e["id"] and e["state"] in ("promoted", "discarded", "not_confirmed", "crashed")]
    assert len(ended) == 2
    for entry in ended:
        scores = [run["val_bpb"] for run in entry["runs"]]  # type: ignore[union-attr, attr-defined]
        assert entry["val_bpb"] is not None and abs(entry["val_bpb"] - sum(scores) / len(scores)) < 1e-9  # type: ignore[operator]
        assert entry["branch"] == git(lab, "branch", "--list", "--format=%(refname:short)", str(entry["branch"]))
        body = git(lab, "log", "-1", "--format=%B", str(entry["commit"]))
        for trailer in (f"Experiment: {entry['id']}", f"Parent: {entry['parent']}", "Team: offline", "Role-Model: "):
            assert trailer in body
    now = status(lab)
    assert now["running"] is False and now["pid"] is None

    # every commit of master was measured exactly as it stands
    heads = git(lab, "log", "--first-parent", "--format=%H", "master").splitlines()
    measured = {git(lab, "rev-parse", f"{entry['commit']}^{{tree}}") for entry in found if entry["state"] == "promoted"}
    assert {git(lab, "rev-parse", f"{head}^{{tree}}") for head in heads} == measured
    tree = git(lab, "rev-parse", "master^{tree}")
    (head,) = (entry for entry in found if git(lab, "rev-parse", f"{entry['commit']}^{{tree}}") == tree)
    scored = [run for run in head["runs"] if run["val_bpb"] is not None]  # type: ignore[attr-defined]
    assert len(scored) >= (2 if head["id"] else 3), "no merge rests on one run, no lab on fewer than three"
    assert now["master"]["runs"] == len(scored) and now["master"]["noise"] > 0  # type: ignore[index]
    assert git(lab, "status", "--porcelain") == "M autolab.toml", "the person's edit stays, all else stands on master"
    assert git(lab, "rev-parse", "HEAD") == heads[0]

    # nothing is left running, and every run is in the local Trackio project
    assert not [run for run in range(1, 20) if marked_processes(f"{lab}#{run}")]
    assert list((lab / ".autolab" / "trackio").glob("*.db"))


def test_a_killed_daemon_loses_no_run_and_repeats_none(lab: Path) -> None:
    set_key(lab, "budget_seconds", "4")
    assert autolab("start", str(lab)).returncode == 0
    eventually(lambda: any(slot["run"] for slot in status(lab)["slots"]), 60, "a run")  # type: ignore[attr-defined]
    eventually(lambda: list((lab / ".autolab" / "runs").glob("1/metrics.jsonl")), 60, "run 1 in training")
    pid = status(lab)["pid"]
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie", 10, "the daemon's end")
    assert status(lab)["running"] is False
    assert marked_processes(f"{lab}#1"), "the run outlives its daemon"
    eventually(lambda: (lab / ".autolab" / "runs" / "1" / "result.json").exists(), 60, "the run's result")

    assert autolab("start", str(lab)).returncode == 0
    eventually(lambda: results(lab)[0]["val_bpb"] is not None, 60, "the adopted result")
    first = results(lab)[0]["runs"][0]  # type: ignore[index]
    assert first["seed"] == 1 and first["val_bpb"] is not None
    assert autolab("stop", "--now", str(lab)).returncode == 0
    story = json.loads(autolab("show", "0", "--json", str(lab)).stdout)
    scored = [run["seed"] for run in story["all_runs"] if run["outcome"] == "scored"]
    assert len(scored) == len(set(scored)), "no seed of the baseline was run twice"
    assert not [number for number in range(1, 20) if marked_processes(f"{lab}#{number}")], "no orphan is left"


def test_a_lab_that_is_stopped_at_once_loses_no_experiment(measured: Path) -> None:
    lab = measured
    set_key(lab, "budget_seconds", "20")
    patch = lab.parent / "rate.diff"
    patch.write_text(git_diff(lab, "LEARNING_RATE = 1e-3", "LEARNING_RATE = 2e-3"))
    added = autolab("add", str(lab), "--title", "Twice", "--hypothesis", "Faster", "--patch", str(patch))
    assert added.returncode == 0, added.stderr
    assert autolab("start", str(lab)).returncode == 0
    eventually(lambda: any(slot["run"] for slot in status(lab)["slots"]), 60, "a run")  # type: ignore[attr-defined]
    told = autolab("stop", "--now", str(lab))
    assert told.returncode == 0 and "they run again after the next start" in told.stderr
    assert status(lab)["running"] is False
    states = {one["state"] for one in results(lab)} | {state_of(lab, 1)}
    assert "killed" not in states and state_of(lab, 1) in ("ready", "running"), states
    shown = [json.loads(autolab("show", str(number), "--json", str(lab)).stdout) for number in (0, 1)]
    stopped = [run for story in shown for run in story["all_runs"] if run["outcome"] == "stopped"]
    assert stopped and all("asked for again" in run["reason"] for run in stopped)


def test_a_second_daemon_is_refused_and_told_who_holds_the_lab(lab: Path) -> None:
    assert autolab("start", str(lab)).returncode == 0
    again = autolab("start", str(lab))
    assert again.returncode == 0 and "already" in again.stdout
    headless = autolab("run", str(lab), "--experiments", "1")
    assert headless.returncode == 1 and f"process {status(lab)['pid']}" in headless.stderr


def test_a_run_can_be_paused_resumed_killed_and_requeued(measured: Path) -> None:
    lab = measured
    set_key(lab, "budget_seconds", "20")
    patch = lab.parent / "rate.diff"
    patch.write_text(
        git_diff(lab, "LEARNING_RATE = 1e-3", "LEARNING_RATE = 2e-3"),
    )
    added = autolab(
        "add", str(lab), "--title", "Twice the rate", "--hypothesis", "It learns faster", "--patch", str(patch)
    )
    assert (added.returncode, added.stdout) == (0, "1\n"), added.stderr
    assert autolab("start", str(lab)).returncode == 0
    eventually(lambda: state_of(lab, 1) == "running", 60, "the run")
    assert autolab("pause", "1", str(lab)).returncode == 0
    eventually(lambda: "paused" in slot_phases(lab), 10, "the pause")
    assert autolab("resume", "1", str(lab)).returncode == 0
    eventually(lambda: "paused" not in slot_phases(lab), 10, "the end of the pause")
    killed = autolab("kill", "1", str(lab))
    assert killed.returncode == 0, killed.stderr
    eventually(lambda: state_of(lab, 1) == "killed", 10, "the outcome")
    again = autolab("kill", "1", str(lab))
    assert again.returncode == 1 and "no run under way" in again.stderr
    assert autolab("requeue", "1", str(lab)).returncode == 0
    assert git(lab, "branch", "--list", "--format=%(refname:short)", "exp/1.2-*") == "exp/1.2-twice-the-rate"


def git_diff(lab: Path, old: str, new: str) -> str:
    """A person's patch: edit train.py, take the diff, put the file back."""
    file = lab / "train.py"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    diff = git(lab, "diff", "--", "train.py") + "\n"
    file.write_text(text)
    return diff


def state_of(lab: Path, number: int) -> str:
    shown = autolab("show", str(number), "--json", str(lab))
    return str(json.loads(shown.stdout)["state"]) if shown.returncode == 0 else ""


def slot_phases(lab: Path) -> list[str]:
    import sqlite3

    with sqlite3.connect(lab / "runs.db") as plain:
        return [row[0] for row in plain.execute("SELECT phase FROM slots")]


def test_the_tests_use_the_command_line_of_this_checkout() -> None:
    assert subprocess.run([*CLI, "--help"], capture_output=True, check=True).stdout

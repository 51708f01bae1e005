"""Another repository as a target, end to end: its command in the sandbox, its own word for the score, promotions."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import autolab
from tests.conftest import set_key
from tests.layouts import git, make_repository

FIT = '''"""Fits nothing, and prints how well."""
import os
import random

DEPTH = 3
SECRET = os.environ.get("SECRET_TOKEN", "none")


def main():
    random.seed(int(os.environ["AUTOLAB_SEED"]))
    for step in range(1, 5):
        print(f"epoch {step}/4", flush=True)
    home = os.path.exists(os.path.expanduser("~/.ssh")) or os.path.exists(HERE)
    print("sees the lab or a home:", home, "secret:", SECRET)
    open("left behind", "w").write("in a work tree that goes")
    print("accuracy = 0.1")
    print(f"accuracy = {0.5 + 0.1 * DEPTH + random.uniform(-0.001, 0.001):.6f}")


main()
'''
DESCRIBED = (
    *("--target-command", "python3 fit.py", "--target-editable", "fit.py", "--target-protected", "data.csv"),
    *("--target-metric", r"accuracy = (\S+)", "--target-direction", "maximise"),
    *("--target-progress", r"epoch (\d+)/(\d+)", "--target-budget", "5", "--target-timeout", "30"),
)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("SECRET_TOKEN", "hf_secret")
    root = tmp_path / "mein Läb"
    source = make_repository(tmp_path / "source", {"fit.py": FIT.replace("HERE", repr(str(root))), "data.csv": "1,2\n"})
    made = autolab("init", str(root), "--profile", "cpu", "--from", str(source), *DESCRIBED)
    assert made.returncode == 0, made.stderr
    yield root
    autolab("stop", "--now", str(root))


def test_a_script_says_plainly_that_it_has_no_vault(lab: Path) -> None:
    told = autolab("status", str(lab)).stdout
    assert "vault    none: a script brings its own data, so nothing is held out from it" in told
    assert "none: a script brings its own data" in autolab("show", "0", str(lab)).stdout


def add(lab: Path, title: str, old: str, new: str) -> None:
    before = (lab / "fit.py").read_text()
    assert old in before
    lines = difflib.unified_diff(
        before.splitlines(True), before.replace(old, new).splitlines(True), "a/fit.py", "b/fit.py"
    )
    patch = lab.parent / "one.diff"
    patch.write_text("".join(lines))
    told = autolab("add", str(lab), "--title", title, "--hypothesis", "better", "--patch", str(patch))
    assert told.returncode == 0, told.stderr


def results(lab: Path) -> dict[str, Any]:
    return {one["title"]: one for one in json.loads(autolab("results", str(lab), "--json").stdout)}


def test_a_script_is_run_in_the_sandbox_and_its_word_is_taken_as_such(lab: Path) -> None:
    add(lab, "one deeper", "DEPTH = 3", "DEPTH = 4")
    add(lab, "less deep", "DEPTH = 3", "DEPTH = 2")
    add(lab, "changes the data", 'print("accuracy = 0.1")', 'open("data.csv", "w").write("0")')
    add(lab, "prints no score", "accuracy = {", "accuracy is {")
    add(
        lab, "asks the network", 'print("accuracy = 0.1")', "__import__('socket').create_connection(('1.1.1.1', 53), 3)"
    )
    done = autolab("run", str(lab), "--experiments", "5", timeout=300)
    assert done.returncode == 0, done.stderr
    found = results(lab)
    assert found["one deeper"]["state"] == "promoted" and found["less deep"]["state"] == "discarded"
    assert found["one deeper"]["val_bpb"] == pytest.approx(-0.9, abs=0.002), "more is better: its sign is changed"
    assert found["start"]["self_reported"] and found["one deeper"]["self_reported"]
    assert "unsandboxed" not in found["one deeper"]
    assert found["changes the data"]["state"] == "invalid" and "data.csv" in found["changes the data"]["reason"]
    assert found["prints no score"]["val_bpb"] == pytest.approx(-0.1), "the last match counts"
    assert found["asks the network"]["state"] == "crashed" and "unreachable" in found["asks the network"]["reason"]
    told = json.loads(autolab("show", "1", str(lab), "--json").stdout)["all_runs"][0]["provenance"]
    before = json.loads(autolab("show", "0", str(lab), "--json").stdout)["all_runs"][0]["provenance"]
    assert told["command"] == "python3 fit.py" and told["fixed"] == before["fixed"] and told["code"] != before["code"]
    assert "data" not in told, "none is named"
    log = autolab("log", "1", str(lab)).stdout
    assert "sees the lab or a home: False secret: none" in log
    assert "Self-reported" in git(lab, "log", "-1", "--format=%B", "master")
    assert "Its sign is changed: less is better." in git(lab, "log", "-1", "--format=%B", "master")
    assert git(lab, "show", "master:fit.py").count("DEPTH = 4") == 1
    assert not (lab / "left behind").exists()
    marked = "one deeper [self-reported, sign changed]"
    assert marked in autolab("results", str(lab)).stdout and marked in (lab / ".autolab" / "results.tsv").read_text()
    for verb in (("status",), ("show", "1")):
        told = autolab(*verb, str(lab)).stdout
        assert "self-reported: what the program prints of itself; the sign of what is maximised is changed" in told
    assert autolab("import", str(lab), str(lab / ".autolab" / "results.tsv")).returncode == 0, "it takes what it gives"


def test_on_a_script_with_a_seed_of_its_own_nothing_is_promoted_and_the_lab_says_why(lab: Path) -> None:
    fixed = (lab / "fit.py").read_text().replace('int(os.environ["AUTOLAB_SEED"])', "42")
    (lab / "fit.py").write_text(fixed)
    git(lab, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qam", "A seed of its own")
    assert "no editable or protected file reads AUTOLAB_SEED" in autolab("doctor", str(lab)).stdout
    add(lab, "one deeper", "DEPTH = 3", "DEPTH = 4")
    seeded = 'random.seed(int(os.environ["AUTOLAB_SEED"]))\n    globals()["DEPTH"] = 5'
    add(lab, "seeded and deeper", "random.seed(42)", seeded)
    done = autolab("run", str(lab), "--experiments", "2", timeout=300)
    assert done.returncode == 0, done.stderr
    found = results(lab)
    assert found["one deeper"]["state"] == "invalid" and "seed is ignored" in found["one deeper"]["reason"]
    assert found["seeded and deeper"]["state"] == "not_confirmed"
    assert "how far chance goes is not known" in found["seeded and deeper"]["reason"]
    told = autolab("status", str(lab)).stdout
    assert "nothing can be promoted on master" in told and "seed everything with AUTOLAB_SEED" in told
    assert "Promote experiment" not in git(lab, "log", "--format=%s", "master")


def test_without_a_sandbox_every_place_that_tells_of_a_win_says_so(lab: Path) -> None:
    set_key(lab, "sandbox", '"off"')
    add(lab, "one deeper", "DEPTH = 3", "DEPTH = 4")
    done = autolab("run", str(lab), "--experiments", "1", timeout=300)
    assert done.returncode == 0, done.stderr
    won = results(lab)["one deeper"]
    assert won["state"] == "promoted" and won["unsandboxed"] is True
    assert "Unsandboxed" in git(lab, "log", "-1", "--format=%B", "master")
    assert "one deeper [unsandboxed]" in autolab("results", str(lab)).stdout
    assert "one deeper [unsandboxed]" in (lab / ".autolab" / "results.tsv").read_text()


CACHED = '''"""Fixed."""
import os

TIME_BUDGET = 5
KEPT = os.path.join(os.path.expanduser("~"), ".cache", "autoresearch", "data")


def data():
    with open(os.path.join(KEPT, "numbers")) as file:
        return float(file.read())
'''
READING = '''"""Reads what was prepared, as its owner's `python prepare.py` left it."""
import os
import random

import prepare

random.seed(int(os.environ["AUTOLAB_SEED"]))
os.makedirs(os.path.expanduser("~/.cache/own"), exist_ok=True)
print("---")
print(f"val_bpb:          {prepare.data() + random.uniform(-0.001, 0.001):.6f}")
'''


@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_data_in_a_persons_home_is_found_there_by_a_run_that_has_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: str
) -> None:
    home = tmp_path / "home"
    (home / ".cache" / "autoresearch" / "data").mkdir(parents=True)
    (home / ".cache" / "autoresearch" / "data" / "numbers").write_text("1.25")
    (home / ".cache" / "secret").write_text("of no run's business")
    monkeypatch.setenv("HOME", str(home))
    files = {"train.py": READING, "prepare.py": CACHED, "program.md": "Lower val_bpb.\n"}
    source, lab = make_repository(tmp_path / "source", files), tmp_path / "lab"
    made = autolab("init", str(lab), "--profile", "cpu", "--from", str(source))
    assert made.returncode == 0 and "karpathy/autoresearch" in made.stdout, made.stderr
    set_key(lab, "sandbox", f'"{sandbox}"')
    text = (lab / "train.py").read_text()
    looks = text.replace('print("---")', 'print(os.path.exists(os.path.expanduser("~/.cache/secret")))\nprint("---")')
    patch = tmp_path / "one.diff"
    lines = difflib.unified_diff(text.splitlines(True), looks.splitlines(True), "a/train.py", "b/train.py")
    patch.write_text("".join(lines))
    added = autolab("add", str(lab), "--title", "looks", "--hypothesis", "it sees", "--patch", str(patch))
    assert added.returncode == 0, added.stderr
    done = autolab("run", str(lab), "--experiments", "1", timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert results(lab)["start"]["val_bpb"] == pytest.approx(1.25, abs=0.002)
    assert autolab("log", "1", str(lab)).stdout.splitlines()[0] == "False"
    assert [one.name for one in (home / ".cache" / "autoresearch").iterdir()] == ["data"], "nothing was written there"
    assert not (home / ".cache" / "own").exists()

"""`autolab init LAB --from REPO`: a lab of somebody's repository, and one sentence for each that cannot be one."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from tests.command_line import autolab
from tests.conftest import CLI, eventually
from tests.layouts import AUTORESEARCH, OTHER, git, make_repository

DESCRIBED = (
    *("--target-command", "python src/fit.py", "--target-editable", "src/*.py", "--target-protected", "data/*"),
    *("--target-metric", r"accuracy = (\S+)", "--target-direction", "maximise"),
    *("--target-progress", r"epoch (\d+)/(\d+)", "--target-budget", "5", "--target-timeout", "60"),
)


def made(tmp_path: Path, files: dict[str, str], *words: str) -> Path:
    source = make_repository(tmp_path / "source", files)
    root = tmp_path / "mein Läb"
    told = autolab("init", str(root), "--profile", "cpu", "--from", str(source), *words)
    assert told.returncode == 0, told.stderr
    return root


def refused(answer: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    assert answer.returncode == status, answer.stdout + answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1, answer.stderr
    for word in words:
        assert word in answer.stderr


def test_an_autoresearch_repository_becomes_a_lab_without_another_word(tmp_path: Path) -> None:
    root = made(tmp_path, AUTORESEARCH)
    text = (root / "autolab.toml").read_text()
    assert 'command = ["uv", "run", "train.py"]' in text and "budget_seconds = 300" in text
    status = json.loads(autolab("status", "--json", str(root)).stdout)
    assert status["master"]["commit"] == git(root, "rev-parse", "master")
    [start] = json.loads(autolab("results", "--json", str(root)).stdout)
    assert (start["id"], start["title"], start["self_reported"]) == (0, "start", True)
    assert json.loads(autolab("show", "0", "--json", str(root)).stdout)["self_reported"] is True


def test_init_says_what_it_recognised_and_what_it_left_out(tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", AUTORESEARCH)
    (source / "notes").write_text("not committed")
    told = autolab("init", str(tmp_path / "lab"), "--from", str(source))
    assert "Taken for the layout of karpathy/autoresearch" in told.stdout
    assert "is not taken: the lab starts from its last commit" in told.stdout
    assert "Beware: no editable or protected file reads AUTOLAB_SEED: repeated runs then show only" in told.stdout
    assert not (tmp_path / "lab" / "notes").exists()


def test_a_repository_that_reads_its_assigned_seed_is_not_warned_of(tmp_path: Path) -> None:
    reading = {
        **AUTORESEARCH,
        "prepare.py": AUTORESEARCH["prepare.py"] + 'import os\nSEED = os.environ["AUTOLAB_SEED"]\n',
    }
    source = make_repository(tmp_path / "source", reading)
    assert "AUTOLAB_SEED" not in autolab("init", str(tmp_path / "lab"), "--from", str(source)).stdout
    assert "the program reads AUTOLAB_SEED" in autolab("doctor", str(tmp_path / "lab")).stdout


def test_no_corpus_is_prepared_for_a_script(tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", AUTORESEARCH)
    subprocess.run(
        [*CLI, "init", str(tmp_path / "lab"), "--from", str(source)],
        check=True,
        capture_output=True,
        env={**os.environ, "AUTOLAB_CACHE": str(tmp_path / "cache")},
    )
    assert not (tmp_path / "cache").exists()


def test_any_other_repository_becomes_a_lab_when_its_target_is_described(tmp_path: Path) -> None:
    root = made(tmp_path, OTHER, *DESCRIBED)
    text = (root / "autolab.toml").read_text()
    for line in (
        'command = ["python", "src/fit.py"]',
        'editable = ["src/fit.py", "src/model.py"]',
        'protected = ["data/test.csv"]',
        r"metric = 'accuracy = (\S+)'",
        'direction = "maximise"',
        r"progress = 'epoch (\d+)/(\d+)'",
        "budget_seconds = 5",
        "timeout_seconds = 60",
    ):
        assert line in text.splitlines()


def test_a_master_that_cannot_be_measured_stands_in_status_and_a_lab_without_settings_is_stopped(
    tmp_path: Path,
) -> None:
    root = made(tmp_path, OTHER, *DESCRIBED[2:], "--target-command", "no-such-program src/fit.py")
    told = autolab("doctor", str(root)).stdout
    assert "MIND  model offline" in told and "constants that are called alike" in told
    started = autolab("start", str(root))
    try:
        assert started.returncode == 0 and "constants that are called alike" in started.stderr, started.stderr
        eventually(lambda: "look at  nothing new starts: master cannot be" in autolab("status", str(root)).stdout)
        assert "master cannot be" in json.loads(autolab("status", "--json", str(root)).stdout)["halted"]
        (root / "autolab.toml").rename(tmp_path / "aside.toml")
        assert "cannot be read" in autolab("status", str(root)).stderr
    finally:
        stopped = autolab("stop", "--now", str(root))
    assert stopped.returncode == 0, stopped.stderr
    assert "The daemon is not running" in autolab("stop", str(root)).stdout


def test_doctor_tells_of_the_slots_that_the_lab_uses(bare: Path) -> None:
    text = (bare / "autolab.toml").read_text()
    (bare / "autolab.toml").write_text(re.sub(r"(?m)^slots = .*$", "slots = 500", text))
    assert "MIND  slots: 500, as autolab.toml says; the machine has" in autolab("doctor", str(bare)).stdout


def test_doctor_says_whether_the_command_is_on_this_machine(tmp_path: Path) -> None:
    root = made(tmp_path, OTHER, *DESCRIBED[2:], "--target-command", "no-such-program src/fit.py")
    told = autolab("doctor", str(root))
    assert told.returncode == 1 and "Install no-such-program" in told.stdout


def test_init_warns_of_a_command_that_cannot_be_started(tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", OTHER)

    def notes(name: str, command: str) -> str:
        words = ("--from", str(source), *DESCRIBED[2:], "--target-command", command)
        told = autolab("init", str(tmp_path / name), "--profile", "cpu", *words)
        assert told.returncode == 0, told.stderr
        return told.stdout

    assert "No run can succeed yet: no-such-program is not on this machine. Install" in notes("a", "no-such-program x")
    assert "No run can succeed yet: The repository has no src/fitt.py. Correct" in notes("b", "python3 src/fitt.py")
    assert "No run can start" not in notes("c", "python3 src/fit.py")


def test_a_script_lab_takes_commands_and_imports_with_the_daemon_down(tmp_path: Path) -> None:
    root = made(tmp_path, OTHER, *DESCRIBED)
    assert autolab("pause", str(root)).returncode == 0
    results = Path(__file__).parents[1] / "targets" / "results.tsv"
    refused(autolab("import", str(root), str(results)), 1, "this lab maximises", "with a minus sign before it")
    changed = tmp_path / "changed.tsv"
    changed.write_text(re.sub(r"\t(?=[1-9]\.\d{6}\t)", "\t-", results.read_text()))
    assert autolab("import", str(root), str(changed)).stdout.startswith("5 results")


def test_the_kind_of_a_lab_cannot_change_under_its_scores(tmp_path: Path, corpus: Path) -> None:
    root = made(tmp_path, OTHER, *DESCRIBED)
    autolab("pause", str(root))
    text = (root / "autolab.toml").read_text()
    start, end = text.index("[target]"), text.index("[run]")
    (root / "autolab.toml").write_text(text[:start] + text[end:])
    (root / "prepare.py").write_bytes((Path(__file__).parents[2] / "nanogpt" / "prepare.py").read_bytes())
    git(root, "add", "prepare.py")
    git(root, "commit", "-qm", "mine")
    refused(autolab("resume", str(root)), 1, "kind script", 'kind = "script"')


def test_what_cannot_become_a_lab_is_one_sentence_and_leaves_nothing_behind(tmp_path: Path) -> None:
    place = tmp_path / "lab"
    words = ("init", str(place), "--from")
    (tmp_path / "plain").mkdir()
    git(tmp_path, "init", "-q", "empty")
    source = make_repository(tmp_path / "source", OTHER)
    refused(autolab(*words, str(tmp_path / "nowhere")), 1, "no repository at")
    refused(autolab(*words, str(tmp_path / "plain")), 1, "not a git repository", "git init")
    refused(autolab(*words, str(tmp_path / "empty")), 1, "no commit yet")
    refused(autolab(*words, str(source)), 1, "must be told", "--target-command", "--target-metric")
    refused(autolab(*words, str(source), *DESCRIBED, "--target-metric", "accuracy"), 1, "0 groups")
    refused(autolab(*words, str(source), *DESCRIBED, "--target-budget", "100"), 1, "timeout_seconds")
    refused(autolab(*words, str(source), *DESCRIBED, "--target-editable", "x.py"), 1, "'x.py'", "last commit")
    assert not place.exists()
    place.mkdir()
    refused(autolab(*words, str(source)), 1, "must be told")
    assert place.is_dir() and not list(place.iterdir())


def test_a_place_that_is_taken_is_left_as_it_is(tmp_path: Path) -> None:
    root = made(tmp_path, AUTORESEARCH)
    refused(autolab("init", str(root), "--from", str(tmp_path / "source")), 1, "There is a lab at")
    refused(autolab("init", str(tmp_path / "source"), "--from", str(tmp_path / "source")), 1, "not empty")


def test_wrong_words_are_exit_2(tmp_path: Path) -> None:
    refused(autolab("init", str(tmp_path / "lab"), "--target-command", "make"), 2, "--from REPO")
    words = ("init", str(tmp_path / "lab"), "--from", ".")
    refused(autolab(*words, "--target-budget", "long"), 2, "seconds above 0")
    refused(autolab(*words, "--target-direction", "up"), 2, "minimise")


def test_a_lab_that_is_there_is_refused_in_one_line(bare: Path) -> None:
    refused = autolab("init", str(bare), "--profile", "cpu")
    assert refused.returncode == 1 and refused.stdout == ""
    assert len(refused.stderr.splitlines()) == 1, refused.stderr

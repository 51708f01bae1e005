"""Whatever is wrong, a person gets one sentence with a remedy, the right exit status, and loses nothing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.command_line import autolab
from tests.conftest import set_key


def refused(answer: subprocess.CompletedProcess[str], status: int, *words: str) -> None:
    assert answer.returncode == status, answer.stdout + answer.stderr
    assert "Traceback" not in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1, answer.stderr
    for word in words:
        assert word in answer.stderr


def test_wrong_words_are_exit_2(lab: Path) -> None:
    refused(autolab("fly"), 2, "There is no command `fly`", "`autolab --help` lists them")
    refused(autolab("stauts"), 2, "Did you mean `status`?")
    refused(autolab("stat"), 2, "Did you mean `status`?")
    refused(autolab("show", "x", str(lab)), 2, "must be the number of an experiment, not 'x'")
    assert autolab("show", "0.1", str(lab)).returncode == 0, "as the room shows an attempt"
    refused(
        autolab("show", "0.2", str(lab)), 1, "Experiment 0 is at attempt 1; there is no attempt 2.", "`autolab show 0"
    )
    refused(autolab("drop", "0.x", str(lab)), 2, "must be the number of an experiment, not '0.x'")
    refused(autolab("set", "team.workers", "abc", str(lab)), 1, "`team.workers` cannot be 'abc': it must be 'auto' or")
    refused(autolab("set", "team.workers", "-1", str(lab)), 1, "Give another value; autolab.toml is as it was.")
    refused(autolab("kill", str(lab)), 2)
    refused(autolab("run", str(lab), "--experiments", "0"), 2, "at least 1")


def test_a_second_experiment_is_not_taken_for_a_lab(bare: Path) -> None:
    for words in (("drop", "26", "27"), ("kill", "26", "27", "28"), ("show", "1", "#2"), ("pause", "1", "2.2")):
        refused(autolab(*words, cwd=bare), 2, f"`{words[0]}` takes one experiment at a time", "space marks several")
    bare.rename(bare.parent / "27")
    refused(autolab("drop", "26", "27", cwd=bare.parent), 1, "There is no experiment 26")
    refused(autolab("show", "1", "--bogus", cwd=bare.parent / "27"), 2, "Unrecognized arguments: --bogus")


def test_bytes_that_are_no_text_are_refused_and_do_no_harm_in_a_path(bare: Path) -> None:
    bad = os.fsdecode(b"bad \xff byte")
    for words in (("message", "all", bad), ("add", "--title", bad, "--hypothesis", "H"), ("set", "team.name", bad)):
        refused(autolab(*words, cwd=bare), 2, "`bad � byte` is no UTF-8 text")
    refused(autolab("results", "--where", f"title~{bad}", cwd=bare), 2, "is no UTF-8 text")
    (bare / bad).write_text("commit\tval_bpb\tmemory_gb\tstatus\tdescription\na\t1.5\t1.0\tkeep\tidea\n")
    imported = autolab("import", bad, cwd=bare)
    assert imported.stdout == "1 result of bad � byte imported as history.\n", imported.stderr


def test_a_place_that_is_no_lab_names_the_way_to_make_one(tmp_path: Path) -> None:
    refused(autolab("status", str(tmp_path / "nowhere")), 1, "There is no lab", "autolab init")
    (tmp_path / "file").write_text("x")
    refused(autolab("status", str(tmp_path)), 1, "not a lab")


def test_init_refuses_a_place_that_is_taken(tmp_path: Path, lab: Path) -> None:
    refused(autolab("init", str(lab)), 1, "already")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years of work")
    refused(autolab("init", str(tmp_path / "full")), 1, "not empty")
    assert (tmp_path / "full" / "thesis.tex").read_text() == "years of work"


def test_a_lab_without_its_git_directory_is_told(lab: Path) -> None:
    (lab / ".git").rename(lab.parent / "git-elsewhere")
    refused(autolab("start", str(lab)), 1, "not a git repository")


def test_broken_settings_are_told_with_the_line(lab: Path) -> None:
    (lab / "autolab.toml").write_text("[lab\n")
    refused(autolab("start", str(lab)), 1, "not valid TOML", "line 1")


def test_a_table_or_a_key_that_stands_there_twice_is_told_with_where_it_belongs(lab: Path) -> None:
    settings, text = lab / "autolab.toml", (lab / "autolab.toml").read_text()
    settings.write_text(f'{text}\n[team]\nworker = "offline"\n')
    refused(autolab("start", str(lab)), 1, "put its keys into the [team] that is there before this one")
    settings.write_text(f"{text}\n[models.x]\n[models.x]\n")
    refused(autolab("start", str(lab)), 1, "put its keys into the [models.x] that is there before this one")
    settings.write_text(text.replace("[team]\n", "[team]\nbudget_money = 20\n"))
    refused(autolab("start", str(lab)), 1, "change the line that is there already")


def test_a_role_file_without_front_matter_is_told(lab: Path) -> None:
    (lab / "roles" / "worker.md").write_text("You are a worker.")
    refused(autolab("start", str(lab)), 1, "no front matter", "worker.md")


def test_a_damaged_database_is_told(lab: Path) -> None:
    (lab / "runs.db").write_bytes(b"no database" * 1000)
    for sidecar in ("runs.db-wal", "runs.db-shm"):
        (lab / sidecar).unlink(missing_ok=True)
    refused(autolab("status", str(lab)), 1, "damaged")
    refused(autolab("start", str(lab)), 1, "damaged")


def test_other_data_than_the_lab_was_measured_on_is_refused(lab: Path, surroundings: Path) -> None:
    import sqlite3

    with sqlite3.connect(lab / "runs.db") as plain:
        plain.execute("UPDATE meta SET value = 'other' WHERE key = 'data_fingerprint'")
    refused(autolab("start", str(lab)), 1, "fingerprint")


def test_a_changed_protected_file_on_master_is_told_with_the_way_back(lab: Path) -> None:
    (lab / "prepare.py").write_text((lab / "prepare.py").read_text() + "# mine\n")
    subprocess.run(["git", "-C", str(lab), "commit", "-qam", "mine"], check=True)
    refused(autolab("start", str(lab)), 1, "prepare.py on master differs", "cp ")


@pytest.mark.parametrize(
    ("diff", "words"),
    [
        ("this is no diff", "not a unified diff"),
        ("--- a/prepare.py\n+++ b/prepare.py\n@@ -1 +1 @@\n-a\n+b\n", "touches prepare.py"),
        ("--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-no such line\n+b\n", "does not apply"),
        ("--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+b\n", "touches new.py"),
    ],
)
def test_a_diff_that_cannot_be_used_is_refused_and_leaves_no_experiment(lab: Path, diff: str, words: str) -> None:
    path = lab.parent / "bad.diff"
    path.write_text(diff)
    refused(autolab("add", str(lab), "--title", "T", "--hypothesis", "H", "--patch", str(path)), 1, words)
    assert autolab("queue", str(lab), "--json").stdout.strip() == "[]"


def test_a_patch_with_a_syntax_error_is_rejected_by_the_guard_with_its_line(lab: Path) -> None:
    text = (lab / "train.py").read_text()
    (lab / "train.py").write_text(text.replace("def build_model():", "def build_model(:"))
    diff = subprocess.run(
        ["git", "-C", str(lab), "diff", "train.py"], capture_output=True, text=True, check=True
    ).stdout
    (lab / "train.py").write_text(text)
    (lab.parent / "bad.diff").write_text(diff)
    added = autolab("add", str(lab), "--title", "T", "--hypothesis", "H", "--patch", str(lab.parent / "bad.diff"))
    assert (added.returncode, added.stdout) == (0, "1\n")
    assert "train.py, line" in added.stderr
    assert '"rejected"' in autolab("show", "1", "--json", str(lab)).stdout


def test_commands_are_answered_even_while_the_daemon_is_down(lab: Path) -> None:
    paused = autolab("pause", str(lab))
    assert paused.returncode == 0 and "paused" in paused.stdout
    refused(autolab("requeue", "7", str(lab)), 1, "no experiment 7")
    refused(autolab("message", "nobody", "hello", str(lab)), 1, "no agent")


def test_a_stop_with_no_run_under_way_speaks_of_none(measured: Path) -> None:
    assert autolab("pause", str(measured)).returncode == 0
    assert autolab("start", str(measured)).returncode == 0
    told = autolab("stop", "--now", str(measured))
    assert (told.returncode, told.stderr) == (0, "") and told.stdout.startswith("The lab rests: "), told


def test_an_unreachable_model_does_not_stop_the_lab(measured: Path) -> None:
    lab = measured
    text = (lab / "autolab.toml").read_text()
    text += '\n[models.far]\nkind = "openai"\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"\n'
    (lab / "autolab.toml").write_text(text)
    set_key(lab, "reporter", '"far"')
    set_key(lab, "wave", "1")
    looked = autolab("doctor", str(lab))
    assert "cannot be reached" in looked.stdout
    run = autolab("run", str(lab), "--experiments", "1", timeout=200)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 experiment has come to an outcome" in run.stdout


def test_results_can_be_exported_in_autoresearchs_columns(lab: Path) -> None:
    table = autolab("export", "--format", "tsv", str(lab))
    assert table.stdout.splitlines()[0].split("\t") == ["commit", "val_bpb", "memory_gb", "status", "description"]
    assert autolab("export", "--format", "csv", str(lab)).returncode == 0
    assert autolab("export", "--format", "json", str(lab)).returncode == 0

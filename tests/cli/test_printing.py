"""What the command line prints, on a real terminal and into a pipe."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from orchestrator.store.writer import Writer
from roles.offline import NAME
from tests.command_line import autolab
from tests.conftest import CLI

LONG = "A title that is longer than any column of eighty cells would ever be able to hold"
SOURCE = "Su et al. 2021, RoFormer, arXiv:2104.09864 https://arxiv.org/abs/2104.09864"


def on_a_terminal(columns: int, *words: str) -> list[str]:
    """The lines that a terminal of that width gets."""
    command = [sys.executable, "-m", "orchestrator.cli.main", *words]
    surroundings = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    line = " ".join(f"'{word}'" for word in command)
    shown = pexpect.run(line, dimensions=(24, columns), timeout=60, env={**surroundings, "TERM": "xterm"})
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()


def add(lab: Path, title: str) -> None:
    told = autolab("add", str(lab), "--title", title, "--hypothesis", "because", "--source", SOURCE)
    assert told.returncode == 0, told.stderr


def test_a_row_is_a_line_that_fits_and_a_pipe_gets_every_word(lab: Path) -> None:
    add(lab, LONG)
    add(lab, "Short")
    for columns in (40, 80, 200):
        lines = on_a_terminal(columns, "queue", str(lab))
        assert len(lines) == 3 and max(map(len, lines)) <= columns, lines
        assert lines[0].split()[:2] == ["id", "state"] and "Short" in lines[2]
    assert "…" in on_a_terminal(80, "queue", str(lab))[1] and LONG in on_a_terminal(200, "queue", str(lab))[1]
    heading, first, second = autolab("queue", str(lab)).stdout.splitlines()
    assert heading.split("\t") == ["id", "state", "priority", "title", "source", "reason"]
    assert first.split("\t")[3:5] == [LONG, SOURCE] and second.split("\t")[3] == "Short"


@pytest.mark.parametrize(
    "words", [("status",), ("export",), ("export", "--format", "json"), ("show", "0"), ("--help",)]
)
def test_an_output_that_takes_nothing_is_told_in_one_sentence(bare: Path, words: tuple[str, ...]) -> None:
    words = words if words[0] == "--help" else (*words, str(bare))
    add(bare, LONG * 200)  # more than Python keeps back before it writes
    with open("/dev/full", "w") as full:
        told = subprocess.run([*CLI, *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert told.returncode == 1
    sentence = "autolab: Standard output cannot be written (No space left on device). "
    assert told.stderr == sentence + "Send it to a place that has room for it.\n"


@pytest.mark.parametrize("words", [("status",), ("export", "--format", "json"), ("--help",)])
def test_a_reader_that_has_gone_is_told_nothing(bare: Path, words: tuple[str, ...]) -> None:
    words = words if words[0] == "--help" else (*words, str(bare))
    reading, writing = os.pipe()
    os.close(reading)
    told = subprocess.run([*CLI, *words], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (told.returncode, told.stderr) == (0, "")


@pytest.mark.parametrize("words", ["results", "export", "show 0"])
def test_an_output_that_is_closed_takes_everything(bare: Path, words: str) -> None:
    line = f"{shlex.join(CLI)} {words} {shlex.quote(str(bare))} >&-"
    told = subprocess.run(line, shell=True, stderr=subprocess.PIPE, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")


def test_facts_go_on_below_themselves(lab: Path) -> None:
    add(lab, LONG)
    lines = on_a_terminal(60, "show", "1", str(lab))
    at = next(i for i, line in enumerate(lines) if line.strip().startswith("source"))
    column = lines[at].index("Su et al.")
    assert lines[at + 1].startswith(" " * column + "https://") and max(map(len, lines[1:])) <= 60, lines
    assert f"source     {SOURCE}" in autolab("show", "1", str(lab)).stdout


def test_a_filter_where_the_lab_belongs_is_told_where_it_goes(lab: Path) -> None:
    told = autolab("results", "state=discarded", cwd=lab)
    assert told.returncode == 2
    assert told.stderr == (
        "autolab: `state=discarded` is no lab but a filter. autolab results --where 'state=discarded'\n"
    )


def test_the_number_of_an_experiment_finds_its_paper(lab: Path) -> None:
    add(lab, "Short")
    assert "https://arxiv.org/abs/2104.09864" in autolab("paper", "1", str(lab)).stdout
    refused = autolab("paper", "7", str(lab))
    assert refused.returncode == 1 and "There is no experiment 7." in refused.stderr


def test_an_idea_that_no_worker_can_make_is_queued_with_a_word_about_it(lab: Path) -> None:
    words = ("add", str(lab), "--title", "Free", "--hypothesis", "because")
    assert autolab(*words).stderr == "", "nobody has been at work yet: nothing is known of the workers"

    async def at_work(model: str) -> None:
        async with Writer(lab / "runs.db") as store:
            await store.set_agents([("worker-1", "worker", "offline", model)])

    asyncio.run(at_work(NAME))
    told = autolab(*words)
    assert told.returncode == 0 and told.stdout == "2\n" and "only knows its catalogue" in told.stderr
    asyncio.run(at_work("a language model"))
    assert autolab(*words).stderr == ""


def test_status_tells_what_the_store_knows_though_the_settings_are_broken(bare: Path) -> None:
    whole = autolab("status", str(bare))
    with (bare / "autolab.toml").open("a") as file:
        file.write("oops [\n")
    told, as_json = autolab("status", str(bare)), autolab("status", "--json", str(bare))
    assert (told.returncode, as_json.returncode) == (0, 0)
    assert "is not valid TOML" in told.stderr and "line" in told.stderr and len(told.stderr.splitlines()) == 1
    assert "team offline" in whole.stdout and "team -" in told.stdout
    assert told.stdout.splitlines()[1:] == whole.stdout.splitlines()[1:]
    found = json.loads(as_json.stdout)
    assert found["balance"]["of"] == 0 and "is not valid TOML" in found["settings_error"]


def test_status_of_settings_that_can_be_read_has_no_error(bare: Path) -> None:
    assert json.loads(autolab("status", "--json", str(bare)).stdout)["settings_error"] is None


def test_the_lines_of_a_hypothesis_stay_and_a_reason_is_one_line(bare: Path) -> None:
    said = "line one\nline  two\n\n\n  third, which is so long that no terminal of forty columns takes it\n"
    assert autolab("add", str(bare), "--title", "a\nb", "--hypothesis", said).stdout == "1\n"
    piped = autolab("show", "1", str(bare)).stdout.splitlines()
    at = next(i for i, line in enumerate(piped) if line.strip().startswith("hypothesis"))
    column = piped[at].index("line one")
    third = "third, which is so long that no terminal of forty columns takes it"
    assert piped[0] == "experiment 1: a b"
    assert [line[column:] for line in piped[at + 1 : at + 4]] == ["line two", "", third]
    assert piped[at + 4].strip().startswith("source")
    shown = on_a_terminal(40, "show", "1", str(bare))
    at = next(i for i, line in enumerate(shown) if "line one" in line)
    assert shown[at + 1].strip() == "line two" and shown[at + 2].strip() == ""
    assert " ".join(line.strip() for line in shown[at + 3 : at + 6]).startswith("third, which is so long that no")
    assert max(map(len, shown[: at + 6])) <= 40

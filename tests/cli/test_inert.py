"""Words from outside, those of language models among them, steer no terminal: neither kept so nor printed so."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

from orchestrator.store.states import State
from orchestrator.store.writer import Proposal, Writer
from tests.command_line import autolab

RED = "\x1b[31mred\x1b[0m"
TITLE = f"two\nlines\ttab {RED} \x1b]0;a title of the window\x07\u202eend"
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")
VERBS = (("queue",), ("results",), ("show", "1"), ("morning",), ("status",), ("papers",), ("paper", "1"), ("report",))


def test_what_is_added_is_kept_without_what_would_steer_a_terminal(bare: Path) -> None:
    added = autolab("add", str(bare), "--title", TITLE, "--hypothesis", f"a\nb {RED}", "--source", f"x {RED}")
    assert added.stdout == "1\n", added.stderr
    kept = json.loads(autolab("show", "1", "--json", str(bare)).stdout)
    assert (kept["title"], kept["source"]) == ("two lines tab red end", "x red")
    assert kept["hypothesis"] == "a\nb red", "its lines stay"
    refused = autolab("add", str(bare), "--title", "\x1b[31m\x1b[0m", "--hypothesis", "because")
    assert refused.returncode == 1 and "has no title" in refused.stderr


async def test_what_agents_and_runs_say_is_kept_inert_and_a_patch_to_the_letter(tmp_path: Path) -> None:
    patch = f"+x = '{RED}'\r\n"
    async with Writer(tmp_path / "runs.db") as store:
        idea = Proposal(TITLE, RED, RED, RED, RED, patch)
        made = await store.add_experiment(idea, author="researcher", team="offline")
        await store.annotate(made.id, RED, actor="worker", hypothesis=f"{RED}\nmore")
        moved = await store.move(made.id, State.DROPPED, f"because {RED}", variable=RED)
        events = await store.events(experiment_id=made.id)
    assert (made.title, made.hypothesis, made.source, made.edit) == ("two lines tab red end", "red", "red", "red")
    assert (moved.hypothesis, moved.variable, moved.reason) == ("red\nmore", "red", "because red")
    assert moved.patch == patch
    assert not any(STEERING.search(event.reason) for event in events)


def test_what_an_older_lab_has_kept_is_printed_inert_by_every_verb(bare: Path) -> None:
    for title in ("one", "two"):
        autolab("add", str(bare), "--title", title, "--hypothesis", "because", "--source", "arXiv:2104.09864")
    with sqlite3.connect(bare / "runs.db") as plain:
        texts = ("title", "hypothesis", "variable", "edit", "reason", "author", "team", "source")
        wild = {name: f"{TITLE} arXiv:2104.09864" for name in texts}
        plain.execute(f"UPDATE experiments SET {', '.join(f'{name} = :{name}' for name in wild)} WHERE id > 0", wild)
        plain.execute("UPDATE experiments SET state = 'crashed' WHERE id = 2")
        plain.execute(
            "INSERT INTO events (at, actor, kind, experiment_id, reason) VALUES (?, ?, 'anomaly', 1, ?)",
            ("2999-01-01T00:00:00.000Z", TITLE, TITLE),
        )
        plain.execute(
            "INSERT INTO notes (at, kind, author, text, team) VALUES (?, 'lesson', 'x', ?, '')",
            ("2999-01-01T00:00:00.000Z", TITLE),
        )
    for words in VERBS:
        said = autolab(*words, str(bare))
        assert said.returncode == 0, said.stderr
        assert not STEERING.search(said.stdout + said.stderr), words
    refused = autolab("promote", "2", str(bare))
    assert refused.returncode == 1 and not STEERING.search(refused.stderr)
    assert not STEERING.search(autolab(f"fly{RED}").stderr)

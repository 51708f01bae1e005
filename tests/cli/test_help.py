"""The help of the command line, as a new user reads it in a terminal of 80 columns."""

from __future__ import annotations

import argparse
import shlex

import pytest

from orchestrator.cli.examples import EXAMPLES
from orchestrator.cli.main import build_parsers, parse


def test_the_help_fits_and_leaves_no_word_unexplained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    whole, parsers = build_parsers()
    for parser in (whole, *parsers.values()):
        text = parser.format_help()
        assert max(map(len, text.splitlines())) <= 80, text
        assert "..." not in text or parser is whole, text
    for name, parser in parsers.items():
        for argument in parser._actions:
            assert argument.help, f"`{name}` says nothing of {argument.metavar}"


def test_each_example_is_read_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, parsers = build_parsers()
    assert EXAMPLES.keys() <= parsers.keys()
    for name, example in EXAMPLES.items():
        program, *words = shlex.split(example.partition(" > ")[0])
        found = parse(words)
        assert program == "autolab" and isinstance(found, argparse.Namespace) and found.verb == name
        assert f"Example: {example}\n" in parsers[name].format_help()

"""Every verb has who carries it out, and those that only read bring no engine with them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from orchestrator.actions import ACTIONS, Kind
from orchestrator.cli.main import build_parsers, carrier

_, PARSERS = build_parsers()


def test_every_verb_of_the_table_is_on_the_command_line() -> None:
    assert {action.verb for action in ACTIONS if action.verb and action.kind is not Kind.VIEW} == set(PARSERS)


@pytest.mark.parametrize("verb", sorted(PARSERS))
def test_a_function_carries_it_out(verb: str) -> None:
    assert callable(carrier(PARSERS[verb].get_default("carried_out_by")))


@pytest.mark.parametrize("module", ["glance", "listing", "telling", "changing", "laboratory", "consulting"])
def test_neither_engine_nor_torch_nor_a_client_of_models_is_loaded_before_it_is_needed(module: str) -> None:
    names = ("orchestrator.engine", "orchestrator.daemon", "torch", "openai", "numpy", "git")
    asked = f"import sys, orchestrator.cli.{module}; print([name for name in {names} if name in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"

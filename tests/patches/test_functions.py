"""Whole functions replaced by name: what is found, what is kept around it, and what is refused in words."""

from __future__ import annotations

import ast

import pytest

from orchestrator.errors import LabError
from orchestrator.patches.functions import definitions, with_function

SOURCE = '''import torch


def activation(x):
    """The one of the MLP."""
    return x


class Block:
    size = 3

    @torch.no_grad()
    def forward(self, x):
        return x + 1

    def extra(self):
        def inner():
            return 1
        return inner()


class Head:
    def forward(self, x):
        return x - 1
'''


def test_a_function_is_replaced_and_everything_else_stays() -> None:
    changed = with_function(SOURCE, "activation", "def activation(x):\n    return x * x")
    assert "return x * x\n\n\nclass Block:" in changed
    assert changed.replace("    return x * x\n", "") == SOURCE.replace(
        '    """The one of the MLP."""\n    return x\n', ""
    )


@pytest.mark.parametrize("indent", ["", "    ", "        "])
def test_a_method_is_indented_as_it_has_to_be_and_keeps_its_decorator(indent: str) -> None:
    code = f"{indent}def forward(self, x):\n{indent}    y = x * 2\n\n{indent}    return y\n"
    changed = with_function(SOURCE, "Block.forward", code)
    assert (
        "    @torch.no_grad()\n    def forward(self, x):\n        y = x * 2\n\n        return y\n\n    def extra"
        in changed
    )


def test_new_decorators_take_the_place_of_the_old_ones() -> None:
    changed = with_function(SOURCE, "Block.forward", "@torch.compile\ndef forward(self, x):\n    return x")
    assert "@torch.compile" in changed and "no_grad" not in changed


def test_strings_over_several_lines_are_not_moved_with_the_code() -> None:
    code = "def extra(self):\n    text = '''\nleft\n'''\n    return text\n"
    changed = with_function(SOURCE, "extra", code)
    method = next(node for node in ast.walk(ast.parse(changed)) if getattr(node, "name", "") == "extra")
    assert "\nleft\n" in ast.unparse(method).encode().decode("unicode_escape")


def test_fences_and_a_signature_as_the_name_are_understood() -> None:
    assert "x * x" in with_function(SOURCE, "def activation(x)", "```python\ndef activation(x):\n    return x * x\n```")


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("forward", "def forward(self):\n    pass", "one of: Block.forward, Head.forward"),
        ("missing", "def missing():\n    pass", "There is no function or class 'missing'"),
        ("activation", "def other(x):\n    return x", "defines 'other' and not 'activation'"),
        ("activation", "import os\ndef activation(x):\n    return x", "one whole definition"),
        ("activation", "def activation(x):\nreturn x", "The new code does not parse"),
        ("activation", "return F.relu(x)", "one whole definition"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_to_do(name: str, code: str, told: str) -> None:
    with pytest.raises(LabError) as caught:
        with_function(SOURCE, name, code)
    assert told in str(caught.value)


def test_the_names_of_a_file_are_listed_whole() -> None:
    assert definitions(SOURCE) == [
        "activation",
        "Block",
        "Block.forward",
        "Block.extra",
        "Block.extra.inner",
        "Head",
        "Head.forward",
    ]

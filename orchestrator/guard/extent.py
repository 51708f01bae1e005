"""How large a program is, in what it says: nodes of its syntax tree, not lines, so layout and comments do not count."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from orchestrator.guard.program import plain

CHARACTERS_PER_NODE = 2
"""Of text in strings: code that moved into a string has not become less."""


def extent(sources: Mapping[str, str]) -> int | None:
    """The nodes of the Python files together, without docstrings and annotations; None when one does not parse."""
    total = 0
    for path, text in sources.items():
        if not path.endswith(".py"):
            continue
        try:
            tree = plain(ast.parse(text))
            for node in ast.walk(tree):
                if isinstance(node, ast.expr_context):
                    continue
                total += 1
                if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                    total += len(node.value) // CHARACTERS_PER_NODE
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
    return total


def smaller(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[int, int] | None:
    """The extents before and after where the program shrank; None where it did not, or other files changed too."""
    others = [{path: text for path, text in files.items() if not path.endswith(".py")} for files in (before, after)]
    old, new = extent(before), extent(after)
    if others[0] != others[1] or old is None or new is None or new >= old:
        return None
    return old, new

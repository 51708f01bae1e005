"""What keeps a patch from being read: code that is text until it runs, and data that stands in the code.

A rule over the syntax tree can be got around, and the sandbox does not rest on this one. But a seed of one's own and
knowledge written into the code show nowhere else, so that neither may have an easy place to hide.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

MOST_LITERAL = 20_000
"""Characters of what a patch adds in literals: more is data, and data comes from the train split."""

MOST_GROWTH = 60_000
"""Characters by which a file may grow: one idea is shorter, and names are data too."""

SHORT = 32
"""Characters of a text, or elements of a list, that are not worth counting."""

PER_NUMBER = 4  # characters

FROM_TEXT = frozenset({"exec", "eval", "compile"})
FROM_BYTES = frozenset({"types.FunctionType", "types.CodeType", "FunctionType", "CodeType", "marshal.loads"})
AROUND_PYTHON = frozenset({"ctypes", "_ctypes", "cffi", "marshal"})

_COOKIE = re.compile(r"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")

Found = tuple[ast.AST, str]


def encodings(path: str, source: str) -> list[str]:
    """Why a file would be read by Python otherwise than by everybody else (PEP 263)."""
    for number, line in enumerate(re.split(r"\r\n|\r|\n", source)[:2], start=1):
        found = _COOKIE.match(line)
        if found and found[1].lower().replace("_", "-") not in ("utf-8", "utf8", "ascii", "us-ascii"):
            return [f"{path}, line {number}: the file declares the encoding {found[1][:40]}; write it in UTF-8."]
    return []


def made_at_run_time(tree: ast.Module) -> Iterator[Found]:
    """A rule: code that is put together while the program runs."""
    own = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {alias.asname or alias.name for node in ast.walk(tree) for alias in getattr(node, "names", []) if alias}
    own |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if (called in FROM_TEXT and called not in own) or called.removeprefix("builtins.") in FROM_TEXT - {called}:
            yield node, f"{called}() runs code that nobody can read beforehand; write it out."
        elif called in FROM_BYTES:
            yield node, f"{called}() makes code that nobody can read beforehand; write it out."
        for name in _imported(node):
            if name.partition(".")[0] in AROUND_PYTHON:
                yield node, f"{name} reaches around Python; a patch has torch, numpy and the standard library."


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


def data_in_code(path: str, before: str, source: str) -> list[str]:
    """Why what a patch adds to a file is too much for an idea. Both must parse, or nothing is said."""
    if len(source) - len(before) > MOST_GROWTH:
        return [f"{path} grows by {len(source) - len(before)} characters, too many for one idea; make it smaller."]
    try:
        old, new = _literals(ast.parse(before)), _literals(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError):
        return []
    added = sum(size for size, _ in new) - sum(size for size, _ in old)
    if added <= MOST_LITERAL or not new:
        return []
    line = max(new)[1]
    return [
        f"{path}, line {line}: the patch adds {added} characters of literals, which is data; it comes from"
        " prepare.batches() alone."
    ]


def _literals(tree: ast.Module) -> list[tuple[int, int]]:
    """Size in characters and line of every text and every list of numbers that is long enough to count."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes) and len(node.value) > SHORT:
            found.append((len(node.value), node.lineno))
        elif isinstance(node, ast.Constant) and isinstance(node.value, int) and abs(node.value) > 2**64:
            found.append((node.value.bit_length() // 4, node.lineno))
        elif isinstance(node, ast.List | ast.Tuple | ast.Set) and len(node.elts) > SHORT:
            found.append((PER_NUMBER * len(node.elts), node.lineno))
        elif isinstance(node, ast.Dict) and len(node.keys) > SHORT:
            found.append((PER_NUMBER * 2 * len(node.keys), node.lineno))
    return found

"""Replacing a whole function, method or class of a file, found in its syntax tree by its name."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator

from orchestrator.errors import LabError

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_FENCE = re.compile(r"\A\s*```[a-z]*\n(.*?)\n?```\s*\Z", re.DOTALL)


def with_function(source: str, name: str, code: str) -> str:
    """The source with the definition `name` (`rate_at`, `GPT.forward`) replaced by `code`, which may be indented in any
    way. Decorators stay where the new code brings none. Raises LabError with what is wrong, for whoever wrote the code.
    """
    old = _named(_parsed(source, "The file"), name)
    new_text, new = _definition(code, name)
    keeps_decorators = bool(old.decorator_list) and not new.decorator_list
    first = old.lineno if keeps_decorators or not old.decorator_list else old.decorator_list[0].lineno
    assert old.end_lineno is not None
    lines = source.splitlines(keepends=True)
    placed = _shifted(new_text, new, old.col_offset)
    changed = "".join([*lines[: first - 1], placed.rstrip("\n") + "\n", *lines[old.end_lineno :]])
    _parsed(changed, "The file with the new code in it")
    return changed


def definitions(source: str) -> list[str]:
    """The qualified names of all functions, methods and classes, in their order."""
    return [name for name, _ in _walk(_parsed(source, "The file"))]


def _parsed(source: str, what: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError) as error:
        where = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise LabError(
            f"{what} does not parse: {getattr(error, 'msg', error)}{where}.", "Correct that line."
        ) from error


def _walk(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Definition]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Definition):
            yield f"{prefix}{node.name}", node
            yield from _walk(node, f"{prefix}{node.name}.")
        else:
            yield from _walk(node, prefix)


def _named(tree: ast.Module, name: str) -> Definition:
    name = re.sub(r"\A(?:async\s+def|def|class)\s+|\(.*\Z", "", name.strip(), flags=re.DOTALL)
    every = list(_walk(tree))
    found = [node for whole, node in every if whole == name] or [
        node for whole, node in every if whole.rsplit(".", 1)[-1] == name
    ]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(whole for whole, _ in every) or "none"
    if not found:
        raise LabError(f"There is no function or class {name!r}.", f"The file has: {listed}.")
    several = ", ".join(whole for whole, node in every if node in found)
    raise LabError(f"{name!r} stands there {len(found)} times.", f"Name the whole of it, one of: {several}.")


def _definition(code: str, name: str) -> tuple[str, Definition]:
    """The new code at the left margin, and the one definition that it holds."""
    fenced = _FENCE.match(code)
    text = textwrap.dedent((fenced[1] if fenced else code).strip("\n")).rstrip() + "\n"
    body = _parsed(text, "The new code").body
    if len(body) != 1 or not isinstance(body[0], Definition):
        raise LabError(
            "The new code must be one whole definition, from its `def` or `class` to its end, and nothing else.",
            "Put imports, constants and further functions in with edit_file.",
        )
    wanted = re.split(r"[.\s]", re.sub(r"\(.*\Z", "", name.strip(), flags=re.DOTALL))[-1]
    if body[0].name != wanted:
        raise LabError(
            f"The new code defines {body[0].name!r} and not {wanted!r}, so its callers would not find it.",
            "Keep the name.",
        )
    return text, body[0]


def _shifted(text: str, new: Definition, columns: int) -> str:
    """The text moved to the right; lines inside strings that are no docstrings stay as they are written."""
    if not columns:
        return text
    docstrings = {id(node.value) for node in ast.walk(new) if isinstance(node, ast.Expr)}
    fixed: set[int] = set()
    for node in ast.walk(new):
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in docstrings and node.end_lineno:
            fixed |= set(range(node.lineno + 1, node.end_lineno + 1))
    lines = text.splitlines(keepends=True)
    return "".join(
        line if number in fixed or not line.strip() else " " * columns + line for number, line in enumerate(lines, 1)
    )

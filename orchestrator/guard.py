"""What a patch must satisfy before it may cost a second on a slot: rules that need no judgement."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping


def program_hash(sources: Mapping[str, str]) -> str | None:
    """A name for the program that the files make, by syntax alone: comments, blank lines and docstrings do not count.

    None when a file does not parse.
    """
    digest = hashlib.sha256()
    for path in sorted(sources):
        try:
            tree = ast.parse(sources[path])
        except (SyntaxError, ValueError):
            return None
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                _drop_docstring(node)
        digest.update(path.encode() + b"\0" + ast.dump(tree).encode() + b"\0")
    return digest.hexdigest()[:16]


def _drop_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    if ast.get_docstring(node, clean=False) is not None:
        node.body = node.body[1:] or [ast.Pass()]


def refusals(before: Mapping[str, str], after: Mapping[str, str], contract: bool) -> list[str]:
    """Why the rules refuse this patch, one sentence each; empty when they let it pass.

    `before` and `after` hold the editable files by path; `contract` says whether train.py has to keep the training
    contract.
    """
    if dict(before) == dict(after):
        return ["The patch changes nothing."]
    found: list[str] = []
    for path, source in after.items():
        if not path.endswith(".py"):
            continue
        try:
            tree = ast.parse(source)
        except SyntaxError as error:
            found.append(f"{path}, line {error.lineno}: {error.msg}.")
            continue
        except ValueError as error:
            found.append(f"{path}: {error}.")
            continue
        if path == "train.py" and contract:
            found.extend(_contract(path, tree))
    if not found and program_hash(before) == program_hash(after):
        found.append("The patch changes only comments, docstrings or layout.")
    return found


def _contract(path: str, tree: ast.Module) -> list[str]:
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    if "build_model" not in names:
        return [f"{path} has no function build_model() any more; the scorer needs it."]
    saves = any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "save"
        for node in ast.walk(tree)
    )
    if not saves:
        return [f"{path} does not call prepare.save(model) any more; there would be nothing to score."]
    return []

"""What a patch changes, by its named parts: constants, functions, classes and their methods."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from orchestrator.guard.program import normalised

LOOSE = "the code outside of any function"


def changed_units(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The named parts that differ, in words: `constant DEPTH`, `function rate_at`, `method GPT.forward`, ...

    Files that do not parse are left out.
    """
    found: list[str] = []
    for path in sorted(after):
        try:
            old, new = _units(before.get(path, "")), _units(after[path])
        except (SyntaxError, ValueError, RecursionError):
            continue
        found += [name for name in dict.fromkeys((*old, *new)) if old.get(name) != new.get(name)]
    return found


def _units(source: str) -> dict[str, str]:
    units: dict[str, str] = {}
    for name, node in _parts(normalised(ast.parse(source))):
        units[name] = units.get(name, "") + ast.dump(node)
    return units


def _parts(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    for node in tree.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield f"function {node.name}", node
            case ast.ClassDef():
                for part in node.body:
                    named = isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
                    yield f"method {node.name}.{part.name}" if named else f"class {node.name}", part  # type: ignore[attr-defined]
                for base in (*node.bases, *node.decorator_list):
                    yield f"class {node.name}", base
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield f"constant {name}", node.value
            case _:
                yield LOOSE, node

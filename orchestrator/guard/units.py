"""What a patch changes, by its named parts: constants, functions, classes and their methods."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import lru_cache

from orchestrator.guard.program import RECENT, normalised

LOOSE = "the code outside of any function"
CONSTANT = "constant "


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


def constants_alone(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The constants that differ, by name, where nothing else does."""
    units = changed_units(before, after)
    names = [unit.removeprefix(CONSTANT) for unit in units if unit.startswith(CONSTANT)]
    return names if len(names) == len(units) else []


def beyond_variable(before: Mapping[str, str], after: Mapping[str, str], variable: str) -> list[str]:
    """Where a patch that was to change one constant changes others too, one sentence each with its line.

    Only for a `variable` that is the name of a constant; what else one idea needs is the reviewer's to judge.
    """
    found: list[str] = []
    for path in sorted(after):
        try:
            old, new = _constants(before.get(path, "")), _constants(after[path])
        except (SyntaxError, ValueError, RecursionError):
            continue
        if variable not in old:
            continue
        for name, (value, line) in new.items():
            if name != variable and name in old and old[name][0] != value:
                found.append(f"{path}, line {line}: it was to change {variable} alone, and it changes {name} too.")
    return found


def _constants(source: str) -> dict[str, tuple[str, int]]:
    """The constants of a file in capitals: what each is, and its line."""
    return {
        node.targets[0].id: (ast.dump(node.value), node.lineno)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper()
    }


@lru_cache(maxsize=RECENT)
def _units(source: str) -> Mapping[str, str]:
    """Each named part as text. Every patch is compared with the same few programs."""
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
                yield f"{CONSTANT}{name}", node.value
            case _:
                yield LOOSE, node


SIZES = ("BATCH", "SEQUENCE")
"""Constants that decide how much memory a model takes in training, beside the model itself."""


def touches_model(before: str, after: str) -> bool:
    """Whether a patched train.py may build, answer or fit otherwise: whether it changes what build_model() rests on.

    In doubt it does. `before` and `after` are sources.
    """
    changed = changed_units({"train.py": before}, {"train.py": after})
    try:
        needed = _rests_on("build_model", ast.parse(before)) | _rests_on("build_model", ast.parse(after))
    except (SyntaxError, ValueError, RecursionError):
        return True
    names = {_name_of(unit) for unit in changed}
    return None in names or bool(names & (needed | set(SIZES)))


def _name_of(unit: str) -> str | None:
    """Of what is defined at the top level; None for loose code."""
    return None if unit == LOOSE else unit.partition(" ")[2].partition(".")[0].partition(" ")[0]


def _rests_on(name: str, tree: ast.Module) -> set[str]:
    """The names of the file that a definition needs, itself among them."""
    uses: dict[str, set[str]] = {}
    for node in tree.body:
        found = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        for defined in _defined(node):
            uses[defined] = uses.get(defined, set()) | found
    reached, waiting = {name}, [name]
    while waiting:
        for other in uses.get(waiting.pop(), set()):
            if other in uses and other not in reached:
                reached.add(other)
                waiting.append(other)
    return reached


def _defined(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [node.name]
        case ast.Assign():
            return [target.id for target in node.targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case _:
            return []

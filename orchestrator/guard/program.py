"""The program that files make, whatever it is called and however it is laid out: two of one name are one idea.

A file becomes a set of definitions and a list of statements. Each definition is named by its content, in rounds: at
first by its own code, then by that and the names of what it refers to, and so on (the colour refinement of graph
isomorphism tests: Weisfeiler and Leman, 1968). So neither names nor the order of definitions matter, and what nothing
refers to does not count.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from orchestrator.guard.arithmetic import Folded
from orchestrator.guard.scopes import Resolved, bindings

ROUNDS = 12
"""Of naming by content. A difference shows in the definition that has it; further rounds only tell who refers to it."""

RECENT = 32
"""Files whose normal form is kept at hand: a tenth of a second each, and masters and patches are asked for again."""

ENTRY = "build_model"
"""What is called from outside of a train.py."""

_BY_STRINGS = frozenset({"globals", "locals", "vars", "eval", "exec", "compile", "@sys.modules"})
"""A program that uses these can reach names by strings: then every name stays as it is."""

_PURE_CALLS = re.compile(
    r"int|float|bool|round|min|max|abs|len|range|tuple|@math\.\w+|@prepare\.(?:pick|device|profile)"
)
_REFERENCE = re.compile(r"§(\w+)§")


def program_hash(sources: Mapping[str, str]) -> str | None:
    """A name for the program that the files make; None when a file does not parse.

    No difference make: comments, docstrings, layout, annotations; names of local variables, parameters and of what a
    file defines for itself; the order of definitions and of keyword arguments; how imports are written, and unused
    ones; functions and constants that nothing uses; sums that can be done beforehand. Across several files, and in a
    file that is no train.py, the names at the top level count.
    """
    digest = hashlib.sha256()
    codes = [path for path in sources if path.endswith(".py")]
    for path in sorted(sources):
        if path not in codes:
            digest.update(path.encode() + b"\0" + sources[path].encode() + b"\0")
            continue
        try:
            normal = _normal(sources[path], alone=len(codes) == 1)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        digest.update(path.encode() + b"\0" + normal.encode() + b"\0")
    return digest.hexdigest()[:16]


@lru_cache(maxsize=RECENT)
def _normal(source: str, *, alone: bool) -> str:
    """The program that one file makes, as text; `alone`: no other file of it is code. Raises what parsing raises."""
    tree = ast.parse(source)
    by_string = _reaches_by_string(tree)
    tree = plain(tree) if by_string else normalised(tree)
    return _by_content(tree) if alone and not by_string and _is_train_py(tree) else _by_name(tree)


def plain(tree: ast.Module) -> ast.Module:
    """The tree without docstrings, annotations and sums that can be done beforehand. Changes the tree."""
    folded: ast.Module = Folded().visit(tree)
    return folded


def normalised(tree: ast.Module) -> ast.Module:
    """The same with names by what they stand for; those at the top level stay. Changes the tree."""
    resolved: ast.Module = Resolved().visit(plain(tree))
    return resolved


def _reaches_by_string(tree: ast.Module) -> bool:
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    modules = any(isinstance(node, ast.Attribute) and node.attr == "modules" for node in ast.walk(tree))
    return bool(names & _BY_STRINGS) or ("sys" in names and modules)


def _is_train_py(tree: ast.Module) -> bool:
    uses = any(isinstance(node, ast.Name) and node.id.startswith("@prepare.") for node in ast.walk(tree))
    return uses and any(isinstance(node, ast.FunctionDef) and node.name == ENTRY for node in tree.body)


def _by_name(tree: ast.Module) -> str:
    """Names at the top level count; what only defines may stand in any order."""
    once = _bound_once(tree)
    free = [node for node in tree.body if _only_defines(node, once)]
    rest = [node for node in tree.body if node not in free]
    return "\n".join([*sorted(map(ast.dump, free)), "", *map(ast.dump, rest)])


def _by_content(tree: ast.Module) -> str:
    """Only what is reached counts, and by its content."""
    once = _bound_once(tree)
    private = {name for name in once if not name.startswith("__")} - {ENTRY}
    free: dict[str, str] = {}
    listed: list[str] = []
    own: dict[str, str] = {}  # what names a private name: its definition, as text
    imports: set[str] = set()
    for node in tree.body:
        movable = _only_defines(node, once)
        names = [name for name, _ in bindings([node])]
        text = ast.dump(_Marked(private).visit(node))
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports.add(text)
        elif movable and names[0] in private | {ENTRY}:
            free[names[0]] = text
        else:
            listed.append(text)
            # What is made where order matters is told apart from its like by its place.
            own.update({name: f"{len(listed)} {place}" for place, name in enumerate(names) if name in private})
    texts = {**own, **free}
    colours = _coloured(texts)
    reached = _reached([*listed, free.get(ENTRY, "")], texts)
    used = {_hash(_told(text, colours)) for name, text in free.items() if name in reached or name == ENTRY}
    return "\n".join([*sorted(imports), *sorted(used), "", *(_told(text, colours) for text in listed)])


def _coloured(texts: Mapping[str, str]) -> dict[str, str]:
    colours = dict.fromkeys(texts, "")
    for _ in range(min(ROUNDS, len(texts) + 1)):
        colours = {name: _hash(_told(text, colours, name)) for name, text in texts.items()}
    return colours


def _told(text: str, colours: Mapping[str, str], itself: str = "") -> str:
    def colour(match: re.Match[str]) -> str:
        return "itself" if match[1] == itself else colours.get(match[1], match[1])

    return _REFERENCE.sub(colour, text)


def _reached(texts: Sequence[str], definitions: Mapping[str, str]) -> set[str]:
    found: set[str] = set()
    waiting = list(texts)
    while waiting:
        for name in set(_REFERENCE.findall(waiting.pop())) - found:
            found.add(name)
            waiting.append(definitions.get(name, ""))
    return found


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def _bound_once(tree: ast.Module) -> set[str]:
    elsewhere = {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}
    counted = Counter(name for name, _ in bindings(tree.body))
    return {name for name, count in counted.items() if count == 1 and name not in elsewhere}


class _Marked(ast.NodeTransformer):
    """Names at the top level that are the file's own, as references; what is defined does not say its name."""

    def __init__(self, private: set[str]) -> None:
        self._private = private

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in self._private:
            node.id = "defined" if isinstance(node.ctx, ast.Store) else f"§{node.id}§"
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = "defined" if node.name in self._private and node.col_offset == 0 else node.name
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.name = "defined" if node.name in self._private and node.col_offset == 0 else node.name
        return self.generic_visit(node)


# -- what only defines


def _only_defines(node: ast.stmt, once: set[str]) -> bool:
    """Whether a statement may stand anywhere: it binds names for good and does nothing else."""
    names = [name for name, _ in bindings([node])]
    if any(name not in once for name in names):
        return False
    match node:
        case ast.FunctionDef():
            return all(map(_is_pure, _evaluated(node)))
        case ast.ClassDef():
            return all(
                map(_is_pure, [*node.bases, *node.decorator_list, *(one.value for one in node.keywords)])
            ) and all(_defines_in_class(part) for part in node.body)
        case ast.Assign(targets=[ast.Name()]):
            return _is_pure(node.value)
        case ast.Import() | ast.ImportFrom():
            return True
        case _:
            return False


def _defines_in_class(node: ast.stmt) -> bool:
    match node:
        case ast.Pass():
            return True
        case ast.FunctionDef():
            return all(map(_is_pure, _evaluated(node)))
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
            return _is_pure(value)
        case _:
            return isinstance(node, ast.AnnAssign)


def _evaluated(node: ast.FunctionDef) -> Iterator[ast.expr]:
    """What is computed when the function is defined. A decorator of a library is taken to change nothing else."""
    for one in node.decorator_list:
        made = one.func if isinstance(one, ast.Call) else one
        if not (isinstance(made, ast.Name) and made.id.startswith("@")):
            yield one
    yield from node.args.defaults
    yield from filter(None, node.args.kw_defaults)


def _is_pure(node: ast.expr) -> bool:
    match node:
        case ast.Constant() | ast.Name() | ast.Lambda():
            return True
        case ast.Attribute(value=inner) | ast.UnaryOp(operand=inner):
            return _is_pure(inner)
        case ast.BinOp(left=left, right=right):
            return _is_pure(left) and _is_pure(right)
        case ast.Tuple(elts=parts) | ast.BoolOp(values=parts):
            return all(map(_is_pure, parts))
        case ast.Compare(left=left, comparators=others):
            return _is_pure(left) and all(map(_is_pure, others))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _is_pure(test) and _is_pure(body) and _is_pure(orelse)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
            return (
                _PURE_CALLS.fullmatch(name) is not None
                and all(map(_is_pure, args))
                and all(_is_pure(one.value) for one in keywords)
            )
        case _:
            return False

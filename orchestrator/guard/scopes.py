"""Names by what they stand for: an import by what it imports, a local variable by its place in its function.

So that a program reads the same whatever its variables are called and however its imports are written. Scopes are
those of the language reference, section 4.2.2 (Resolution of names).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp

_OWN_SCOPE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True, slots=True)
class _Scope:
    names: dict[str, str]
    is_class: bool = False


def bindings(body: Sequence[ast.AST]) -> Iterator[tuple[str, str | None]]:
    """Every name that these statements bind in their own scope, in order, with what an import binds it to.

    Names that are declared global or nonlocal are among them where they are assigned.
    """
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name, None
                if isinstance(node, ast.ClassDef):
                    yield from bindings([*node.bases, *node.decorator_list])
                else:
                    yield from bindings([*node.args.defaults, *filter(None, node.args.kw_defaults)])
            case ast.Lambda():
                continue
            case ast.Import(names=names):
                for alias in names:
                    top = alias.name.partition(".")[0]
                    yield (alias.asname, alias.name) if alias.asname else (top, top)
            case ast.ImportFrom(module=module, names=names, level=level):
                for alias in names:
                    yield alias.asname or alias.name, None if level else f"{module}.{alias.name}"
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name, None
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name, None
                yield from bindings(list(ast.iter_child_nodes(node)))
            case ast.MatchMapping(rest=str(name)):
                yield name, None
                yield from bindings(list(ast.iter_child_nodes(node)))
            case _ if isinstance(node, _COMPREHENSIONS):
                for part in ast.walk(node):  # an assignment expression in it binds in the scope around it
                    if isinstance(part, ast.NamedExpr):
                        yield part.target.id, None
            case _:
                yield from bindings(list(ast.iter_child_nodes(node)))


def imported(body: Sequence[ast.stmt]) -> dict[str, str]:
    """The names that unconditional imports among these statements bind for good, and to what."""
    direct = {
        name for name, path in bindings([one for one in body if isinstance(one, ast.Import | ast.ImportFrom)]) if path
    }
    found: dict[str, set[str | None]] = {}
    for name, path in bindings(body):
        found.setdefault(name, set()).add(path)
    return {name: path for name, paths in found.items() if name in direct and len(paths) == 1 and (path := paths.pop())}


def parameters(arguments: ast.arguments) -> list[ast.arg]:
    extra = [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *extra]


class Resolved(ast.NodeTransformer):
    """Rewrites names: `@torch.nn.Linear` for what an import leads to, `0.2` for the third local of an outer function.

    Module-level and class-level names stay, except that those of a class read `class.NAME` in its body. Imports that
    this makes superfluous are dropped. Visit a module with it, once.
    """

    def __init__(self) -> None:
        self._stack: list[_Scope] = []
        self._parameters: dict[str, dict[str, str]] = {}  # of the file's own functions, classes and methods

    # -- looking up

    def _look_up(self, name: str) -> str:
        for place in range(len(self._stack) - 1, -1, -1):
            scope = self._stack[place]
            if scope.is_class and place != len(self._stack) - 1:
                continue
            if name in scope.names:
                return scope.names[name]
        return name

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self._look_up(node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id.startswith("@"):
            return ast.copy_location(ast.Name(f"{node.value.id}.{node.attr}", node.ctx), node)
        return node

    # -- scopes

    def visit_Module(self, node: ast.Module) -> ast.AST:
        elsewhere = {name for part in ast.walk(node) if isinstance(part, ast.Global) for name in part.names}
        found = {name: "@" + path for name, path in imported(node.body).items() if name not in elsewhere}
        self._stack.append(_Scope(found))
        self._parameters = _parameters_of(node)
        node.body = self._all(node.body)
        self._stack.pop()
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if not self._stack[-1].is_class:
            node.name = self._look_up(node.name)
        node.decorator_list = self._all(node.decorator_list)
        self._defaults(node.args)
        self._enter([one.arg for one in parameters(node.args)], node.body)
        for one in parameters(node.args):
            one.arg = self._look_up(one.arg)
        node.body = self._all(node.body)
        self._stack.pop()
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        self._defaults(node.args)
        self._enter([one.arg for one in parameters(node.args)], [])
        for one in parameters(node.args):
            one.arg = self._look_up(one.arg)
        node.body = self.visit(node.body)
        self._stack.pop()
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if not self._stack[-1].is_class:
            node.name = self._look_up(node.name)
        node.bases, node.keywords = self._all(node.bases), self._all(node.keywords)
        node.decorator_list = self._all(node.decorator_list)
        self._stack.append(_Scope({name: f"class.{name}" for name, _ in bindings(node.body)}, is_class=True))
        node.body = self._all(node.body)
        self._stack.pop()
        return node

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        return self._comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> ast.AST:
        return self._comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        return self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        return self._comprehension(node)

    def _comprehension(self, node: Comprehension) -> ast.AST:
        first = self.visit(node.generators[0].iter)
        targets = [name for one in node.generators for name, _ in bindings([one.target])]
        self._stack.append(_Scope(self._numbered(targets)))
        node.generators[0].iter = ast.Constant(None)
        self.generic_visit(node)
        node.generators[0].iter = first
        self._stack.pop()
        return node

    def _enter(self, arguments: list[str], body: list[ast.stmt]) -> None:
        """Open the scope of a function."""
        outer = {name for node in _inside(body) if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}
        pure = {name: "@" + path for name, path in imported(body).items() if name not in arguments}
        bound = [*arguments, *(name for name, _ in bindings(body))]
        names = self._numbered([name for name in bound if name not in outer and name not in pure])
        reaching = {name: name for node in _inside(body) if isinstance(node, ast.Global) for name in node.names}
        self._stack.append(_Scope({**names, **pure, **reaching}))

    def _numbered(self, names: list[str]) -> dict[str, str]:
        depth = sum(not scope.is_class for scope in self._stack) - 1
        return {name: f"{depth}.{number}" for number, name in enumerate(dict.fromkeys(names))}

    def _defaults(self, arguments: ast.arguments) -> None:
        arguments.defaults = self._all(arguments.defaults)
        arguments.kw_defaults = [None if one is None else self.visit(one) for one in arguments.kw_defaults]

    def _all(self, nodes: Sequence[ast.AST]) -> list[Any]:
        visited = [self.visit(node) for node in nodes]
        return [node for node in visited if node is not None]

    # -- other places where names stand

    def visit_Call(self, node: ast.Call) -> ast.AST:
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        known = self._parameters.get(called, {})
        self.generic_visit(node)
        for keyword in node.keywords:
            keyword.arg = known.get(keyword.arg, keyword.arg) if keyword.arg else None
        return node

    def visit_Import(self, node: ast.Import) -> ast.AST | None:
        kept = []
        for alias in node.names:
            name = self._look_up(alias.asname or alias.name.partition(".")[0])
            if not name.startswith("@"):
                alias.asname = name if alias.asname or name != alias.name else None
                kept.append(alias)
            elif "." in alias.name and alias.asname is None:
                kept.append(alias)  # it makes a part of the package be there
        node.names = kept
        return node if kept else None

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        kept = []
        for alias in node.names:
            name = alias.name if alias.name == "*" else self._look_up(alias.asname or alias.name)
            if not name.startswith("@"):
                alias.asname = name if name != alias.name else None
                kept.append(alias)
        node.names = kept
        return node if kept else None

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        node.name = None if node.name is None else self._look_up(node.name)
        return self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> ast.AST:
        node.name = None if node.name is None else self._look_up(node.name)
        return self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> ast.AST:
        node.name = None if node.name is None else self._look_up(node.name)
        return node

    def visit_MatchMapping(self, node: ast.MatchMapping) -> ast.AST:
        node.rest = None if node.rest is None else self._look_up(node.rest)
        return self.generic_visit(node)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST:
        node.names = sorted(self._look_up(name) for name in node.names)
        return node


def _parameters_of(tree: ast.Module) -> dict[str, dict[str, str]]:
    """What the parameters of functions, of methods and of classes' `__init__` are called after the rewriting.

    Of names that are defined once in the file: a call by such a name is taken for a call of that function.
    """
    found: dict[str, list[dict[str, str]]] = {}
    for node in tree.body:
        named = [(node.name, node)] if isinstance(node, ast.FunctionDef) else []
        if isinstance(node, ast.ClassDef):
            methods = [one for one in node.body if isinstance(one, ast.FunctionDef)]
            named = [(node.name if one.name == "__init__" else one.name, one) for one in methods]
        for name, function in named:
            places = {one.arg: f"0.{number}" for number, one in enumerate(parameters(function.args))}
            found.setdefault(name, []).append(places)
    return {name: several[0] for name, several in found.items() if len(several) == 1}


def _inside(body: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """All nodes of a scope, without those of the scopes in it."""
    for node in body:
        yield node
        if not isinstance(node, _OWN_SCOPE):
            yield from _inside(list(ast.iter_child_nodes(node)))

"""The program that files make, whatever it is called and however it is laid out: two of one name are one idea."""

from __future__ import annotations

import ast
import hashlib
import operator
from collections.abc import Callable, Mapping

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

_FOLDED: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


def program_hash(sources: Mapping[str, str]) -> str | None:
    """A name for the program that the files make; None when a file does not parse.

    Comments, docstrings, layout, annotations, the names of local variables, the order of keyword arguments and of
    neighbouring definitions, and sums that can be done beforehand make no difference.
    """
    digest = hashlib.sha256()
    for path in sorted(sources):
        try:
            tree = ast.parse(sources[path])
            normal = ast.dump(normalised(tree))
        except (SyntaxError, ValueError, RecursionError):
            return None
        digest.update(path.encode() + b"\0" + normal.encode() + b"\0")
    return digest.hexdigest()[:16]


def normalised(tree: ast.Module) -> ast.Module:
    """The tree without what makes no difference. Changes the tree."""
    tree = _Plain().visit(tree)
    _rename_locals(tree)
    _sort_definitions(tree)
    return tree


class _Plain(ast.NodeTransformer):
    """Without docstrings and annotations, with sums done and keywords in order."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self._of_body(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self._of_body(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._of_body(node)

    def visit_Module(self, node: ast.Module) -> ast.AST:
        return self._of_body(node)

    def _of_body(self, node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        self.generic_visit(node)
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign([node.target], node.value), node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        left, right, how = node.left, node.right, _FOLDED.get(type(node.op))
        if how is None or not isinstance(left, ast.Constant) or not isinstance(right, ast.Constant):
            return node
        if type(left.value) not in (int, float) or type(right.value) not in (int, float):
            return node
        assert isinstance(left.value, int | float) and isinstance(right.value, int | float)
        return ast.copy_location(ast.Constant(how(left.value, right.value)), node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if all(keyword.arg is not None for keyword in node.keywords):
            node.keywords.sort(key=lambda keyword: keyword.arg or "")
        return node


def _rename_locals(tree: ast.Module) -> None:
    """Give the local names of every outermost function the names v0, v1, ... in the order of their appearance."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            _rename(node)


def _rename(function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    outside = {
        name for node in ast.walk(function) if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names
    }
    names: dict[str, str] = {}
    for node in _in_order(function):
        name = node.arg if isinstance(node, ast.arg) else node.id if _is_bound(node) else None
        if name is not None and name not in outside and name not in names:
            names[name] = f"v{len(names)}"
    for each in ast.walk(function):
        if isinstance(each, ast.arg):
            each.arg = names.get(each.arg, each.arg)
        elif isinstance(each, ast.Name):
            each.id = names.get(each.id, each.id)


def _is_bound(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)


def _in_order(node: ast.AST) -> list[ast.arg | ast.Name]:
    found: list[ast.arg | ast.Name] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.arg | ast.Name):
            found.append(child)
        found += _in_order(child)
    return found


def _sort_definitions(tree: ast.Module) -> None:
    """Functions that follow each other may stand in any order; so may imports."""
    body: list[ast.stmt] = []
    run: list[ast.stmt] = []
    for node in tree.body:
        if run and type(node) is not type(run[0]):
            body += sorted(run, key=ast.dump)
            run = []
        if isinstance(node, ast.FunctionDef | ast.Import | ast.ImportFrom) and not getattr(node, "decorator_list", []):
            run.append(node)
        else:
            body += sorted(run, key=ast.dump)
            run = []
            body.append(node)
    tree.body = body + sorted(run, key=ast.dump)

"""A syntax tree without what no run can tell: docstrings, annotations, `pass`, and sums of constants left undone.

It is for comparing, not for running: a body can be empty in it.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable

_HOW: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
LARGEST = 2.0**53  # beyond, a sum is left as it stands
_KEPT_ANNOTATIONS = ("ClassVar", "InitVar", "KW_ONLY")  # dataclasses look for them


class Folded(ast.NodeTransformer):
    """Visit a module with it, once."""

    def __init__(self) -> None:
        self._in_class = False

    # -- bodies

    def visit_Module(self, node: ast.Module) -> ast.AST:
        return self._body(node, in_class=False)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._body(node, in_class=True)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self._body(node, in_class=False)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self._body(node, in_class=False)

    def _body(
        self, node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef, in_class: bool
    ) -> ast.AST:
        outer, self._in_class = self._in_class, in_class
        self.generic_visit(node)
        self._in_class = outer
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """A constant by itself, such as a docstring, does nothing."""
        if isinstance(node.value, ast.Constant):
            return None
        return self.generic_visit(node)

    def visit_Pass(self, node: ast.Pass) -> None:
        return None

    # -- annotations

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """In a class an annotation can make a field; elsewhere it says nothing."""
        if self._in_class:
            if not any(word in ast.dump(node.annotation) for word in _KEPT_ANNOTATIONS):
                node.annotation = ast.Constant(None)
            return self.generic_visit(node)
        self.generic_visit(node)
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign([node.target], node.value), node)

    # -- sums

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        node.kind = None
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.USub | ast.UAdd) and (number := _number(node.operand)) is not None:
            return ast.copy_location(ast.Constant(-number if isinstance(node.op, ast.USub) else number), node)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        left, right, how = _number(node.left), _number(node.right), _HOW.get(type(node.op))
        if left is None or right is None or how is None:
            return node
        if isinstance(node.op, ast.Pow) and abs(right) > 64:
            return node
        try:
            result = how(left, right)
        except ArithmeticError:
            return node
        if isinstance(result, complex) or abs(result) > LARGEST or math.isnan(result):
            return node
        return ast.copy_location(ast.Constant(result), node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Keyword arguments may stand in any order where computing them does nothing."""
        self.generic_visit(node)
        does = (ast.Call, ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)
        if all(one.arg for one in node.keywords) and not any(
            isinstance(part, does) for one in node.keywords for part in ast.walk(one.value)
        ):
            node.keywords.sort(key=lambda keyword: keyword.arg or "")
        return node


def _number(node: ast.expr) -> int | float | None:
    """The number that a constant is; truth values are none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return node.value
    return None

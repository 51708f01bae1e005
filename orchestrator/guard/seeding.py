"""Seeds that a program writes out for itself: with one that happens to be lucky nothing is better but the luck."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from orchestrator.guard.program import program_hash

SEEDERS = frozenset(
    {"manual_seed", "manual_seed_all", "seed", "seed_all", "default_rng", "RandomState", "set_rng_state", "setstate"}
)
"""Functions that begin a row of random numbers, of torch, numpy and Python's own library."""

_FURTHER = SEEDERS | {"PRNGKey", "set_seed", "seed_everything"}
_KEYWORDS = ("SEED", "RANDOM_STATE")


def changes_seeds_alone(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Whether two programs are the same but for seeds that are written out as numbers.

    A seed that comes from elsewhere, from the environment above all, is no such seed.
    """
    one, other = _without_seeds(before), _without_seeds(after)
    return one is not None and other is not None and program_hash(one) == program_hash(other)


def _without_seeds(sources: Mapping[str, str]) -> dict[str, str] | None:
    """The files with every written-out seed the same; None when one does not parse."""
    found = dict(sources)
    for path in sources:
        if path.endswith(".py"):
            try:
                tree = ast.parse(sources[path])
                found[path] = ast.unparse(_Unseeded(_constants(tree)).visit(tree))
            except (SyntaxError, ValueError, RecursionError):
                return None
    return found


class _Unseeded(ast.NodeTransformer):
    """Puts one seed in the place of all that are written out, and silences statements that do nothing but seed.

    `constants` are the names of seeds that are written out.
    """

    def __init__(self, constants: frozenset[str]) -> None:
        self._constants = constants

    def _is_fixed(self, node: ast.expr) -> bool:
        return _is_number(node) or (isinstance(node, ast.Name) and node.id in self._constants)

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        self.generic_visit(node)
        if _is_number(node.value) and all(_is_seed(target) for target in node.targets):
            node.value = ast.Constant(0)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        if node.value is not None and _is_number(node.value) and _is_seed(node.target):
            node.value = ast.Constant(0)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if _name(node.func) in _FURTHER:
            node.args = [ast.Constant(0) if self._is_fixed(argument) else argument for argument in node.args]
        for keyword in node.keywords:
            meant = _name(node.func) in _FURTHER or _names_a_seed(keyword.arg or "")
            if meant and self._is_fixed(keyword.value):
                keyword.value = ast.Constant(0)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        self.generic_visit(node)
        call = node.value
        if not isinstance(call, ast.Call) or _name(call.func) not in _FURTHER:
            return node
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        return ast.Expr(ast.Constant(0)) if given and all(self._is_fixed(argument) for argument in given) else node


def _constants(tree: ast.Module) -> frozenset[str]:
    """Names at the top of a file that are given a written-out seed, and nothing else."""
    given = [
        (target.id, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and _names_a_seed(target.id)
    ]
    return frozenset(name for name, _ in given if all(_is_number(value) for known, value in given if known == name))


def _is_seed(target: ast.expr) -> bool:
    return isinstance(target, ast.Name | ast.Attribute) and _names_a_seed(_name(target))


def _names_a_seed(name: str) -> bool:
    return any(word in name.upper() for word in _KEYWORDS)


def _name(node: ast.expr) -> str:
    """The last part of a dotted name; empty for anything else."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _is_number(node: ast.expr) -> bool:
    """Whether a value is written out: a number, or a sum of numbers."""
    match node:
        case ast.Constant(value=value):
            return isinstance(value, int | float)
        case ast.UnaryOp(operand=operand):
            return _is_number(operand)
        case ast.BinOp(left=left, right=right):
            return _is_number(left) and _is_number(right)
        case _:
            return False

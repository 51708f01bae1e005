"""The rules, each a question to the syntax tree of the patched file. A refusal names the line and the remedy.

Only what a patch adds counts against it: what the file had before is the business of whoever made that master.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.machinery import PathFinder

from orchestrator.guard.hiding import data_in_code, encodings, made_at_run_time
from orchestrator.guard.program import program_hash
from orchestrator.guard.seeding import SEEDERS, changes_seeds_alone
from orchestrator.guard.units import constants_alone

_CONFLICT = re.compile(r"^<{7} ", re.MULTILINE)

MOST_CONSTANTS = 3
"""A patch that changes more numbers than that, and no code, tests several ideas at once."""

READERS = frozenset({"read_text", "read_bytes", "fromfile", "memmap", "loadtxt", "genfromtxt"})
OPENERS = frozenset(
    {
        *("open", "io.open", "os.open", "os.listdir", "os.scandir", "os.walk", "glob.glob", "glob.iglob"),
        *("torch.load", "np.load", "numpy.load", "pickle.load"),
    }
)
HARNESS = frozenset({"nanogpt", "orchestrator", "roles", "tui"})
"""Installed, but not shown to a run."""

LIBRARY_SETTINGS = ("PYTORCH_", "TORCH", "CUDA_", "CUBLAS_", "OMP_", "MKL_", "TRITON_", "NCCL_")
"""Beginnings of variables of the environment that are a library's business, and no secret."""

Found = tuple[ast.AST, str]
"""A place in the tree, and what is wrong with it."""

Rule = Callable[[ast.Module], Iterator[Found]]


def refusals(before: Mapping[str, str], after: Mapping[str, str], contract: bool) -> list[str]:
    """Why the rules refuse this patch, one sentence each; empty when they let it pass.

    `before` and `after` hold the editable files by path; `contract` says whether train.py has to keep the training
    contract. A script of another repository makes its own rules: it must parse and be a new program, by more than the
    numbers that it takes for seeds.
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
            mark = _CONFLICT.search(source)
            line = source.count("\n", 0, mark.start()) + 1 if mark is not None else error.lineno
            what = "git's conflict marks are left; keep one side and take them out" if mark is not None else error.msg
            found.append(f"{path}, line {line}: {what}.")
            continue
        except (ValueError, RecursionError) as error:
            found.append(f"{path}: {error}.")
            continue
        if contract:
            found += encodings(path, source) + data_in_code(path, before.get(path, ""), source)
            found += _against_rules(path, before.get(path, ""), tree)
            if path == "train.py":
                found += _against_contract(path, before.get(path, ""), tree)
    if not found and program_hash(before) == program_hash(after):
        found.append("The patch changes only comments, names or layout: the program is the same.")
    if not found and not contract and changes_seeds_alone(before, after):
        found.append("The patch changes nothing but a seed that is written out: another seed is luck, and no idea.")
    if not found and contract:
        found += _against_one_idea(before, after)
    return found


def _against_rules(path: str, before: str, tree: ast.Module) -> list[str]:
    try:
        old = ast.parse(before)
    except (SyntaxError, ValueError, RecursionError):
        old = ast.Module([], [])
    sentences = []
    for rule in RULES:
        known = Counter(_key(place, words) for place, words in rule(old))
        for place, words in rule(tree):
            if known[_key(place, words)] > 0:
                known[_key(place, words)] -= 1
            else:
                sentences.append(f"{path}, line {getattr(place, 'lineno', 1)}: {words}")
    return list(dict.fromkeys(sentences))


def _key(place: ast.AST, words: str) -> tuple[str, str]:
    return ast.dump(place), words


def _against_contract(path: str, before: str, tree: ast.Module) -> list[str]:
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    if "build_model" not in names:
        return [f"{path} has no function build_model() any more; the scorer needs it."]
    if not any(_called(node) == "prepare.save" or _called(node).endswith(".save") for node in ast.walk(tree)):
        return [f"{path} does not call prepare.save(model) any more; there would be nothing to score."]
    if _looks_at_the_clock(before) and not _looks_at_the_clock(tree):
        return [f"{path} does not ask the budget whether it is expired any more; keep `while not budget.expired`."]
    if before and _budgets(ast.parse(before)) == 1 and _budgets(tree) != 1:
        return [f"{path} makes {_budgets(tree)} budgets; a run has one: prepare.Budget()."]
    return []


def _looks_at_the_clock(source: str | ast.Module) -> bool:
    try:
        tree = ast.parse(source) if isinstance(source, str) else source
    except (SyntaxError, ValueError):
        return False
    return any(isinstance(node, ast.Attribute) and node.attr == "expired" for node in ast.walk(tree))


def _budgets(tree: ast.Module) -> int:
    return sum(_called(node) == "prepare.Budget" for node in ast.walk(tree))


def _against_one_idea(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    names = constants_alone(before, after)
    if len(names) > MOST_CONSTANTS:
        told = f"The patch changes {len(names)} constants at once ({', '.join(names)})"
        return [f"{told}: one idea is one change, so split it."]
    return []


# -- the rules


def _imports(tree: ast.Module) -> Iterator[Found]:
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module]
        if _called(node) in ("__import__", "importlib.import_module", "import_module"):
            names = [text for argument in _arguments(node)[:1] if (text := _text(argument))]
            if not names:
                yield node, "a module is imported by a name that is computed; write the import out."
        for name in names:
            top = name.partition(".")[0]
            if top in HARNESS:
                yield node, f"{top} is imported, but the harness is no library; use what prepare offers."
            elif not _is_installed(top):
                yield node, f"the module {top} is not installed; use torch, numpy or Python's own library."


@cache
def _is_installed(name: str) -> bool:
    if name in sys.stdlib_module_names or name in ("prepare", "train"):
        return True
    try:
        return PathFinder.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _seeds(tree: ast.Module) -> Iterator[Found]:
    for node in ast.walk(tree):
        name = _called(node).rpartition(".")[2]
        if name not in SEEDERS or _called(node) == "prepare.seed":
            continue
        if not all(_from_the_seed(argument) for argument in _arguments(node)):
            yield node, "randomness gets a seed of its own; seed it with prepare.seed(), the assigned one."


def _from_the_seed(node: ast.expr) -> bool:
    """`prepare.seed()`, or that plus a constant."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = (node.left, node.right)
        return any(_from_the_seed(side) for side in sides) and any(isinstance(side, ast.Constant) for side in sides)
    return _called(node) == "prepare.seed"


def _environment(tree: ast.Module) -> Iterator[Found]:
    settings = {id(node) for node in ast.walk(tree) for node in _library_settings(node)}
    for node in ast.walk(tree):
        if id(node) in settings:
            continue
        if _dotted(node) in ("os.environ", "os.environb") or _called(node) in ("os.getenv", "os.putenv"):
            yield node, "the environment is the harness's; ask prepare instead."
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("AUTOLAB_"):
            yield node, f"{node.value} is the harness's; ask prepare instead."


def _library_settings(node: ast.AST) -> Iterator[ast.AST]:
    """The environment, where a variable of a library is asked for or set by its name."""
    match node:
        case ast.Subscript(value=owner, slice=ast.Constant(value=str(name))):
            pass
        case ast.Call(func=ast.Attribute(value=owner), args=[ast.Constant(value=str(name)), *_]):
            pass
        case _:
            return
    if name.startswith(LIBRARY_SETTINGS):
        yield owner


def _prepare(tree: ast.Module) -> Iterator[Found]:
    budgets = {"budget"} | {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _called(node.value) == "prepare.Budget"
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = _dotted(node.value)
            if owner == "prepare" and node.attr.startswith("_"):
                yield node, f"prepare.{node.attr} is the harness's own; use what prepare offers."
            elif not isinstance(node.ctx, ast.Load) and owner.partition(".")[0] in ("prepare", "time", *budgets):
                yield node, f"{owner}.{node.attr} is not a patch's to change; leave clock and data as they are."
        elif _called(node) in ("setattr", "delattr", "object.__setattr__", "vars") and _arguments(node):
            owner = _dotted(_arguments(node)[0])
            if owner.partition(".")[0] in ("prepare", "time", *budgets):
                yield node, f"{owner} is not a patch's to change; leave clock and data as they are."
        elif isinstance(node, ast.Name) and node.id == "prepare" and not isinstance(node.ctx, ast.Load):
            yield node, "prepare is not a patch's to replace."


def _files(tree: ast.Module) -> Iterator[Found]:
    for node in ast.walk(tree):
        called = _called(node)
        if (called in OPENERS or called.rpartition(".")[2] in READERS) and not _only_writes(node):
            yield node, "a file is opened; data comes from prepare.batches() alone."


def _only_writes(node: ast.AST) -> bool:
    """`open(path, "w")` and the like: the sandbox says where."""
    modes = [_text(argument) for argument in _arguments(node)[1:2]]
    return _called(node) in ("open", "io.open") and any(mode and set(mode) <= set("wxabt") for mode in modes)


RULES: tuple[Rule, ...] = (_imports, _seeds, _environment, _prepare, _files, made_at_run_time)


# -- reading a tree


def _called(node: ast.AST) -> str:
    """The dotted name of what a call calls; empty for what is no call of a name."""
    return _dotted(node.func) if isinstance(node, ast.Call) else ""


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value)
        return f"{owner}.{node.attr}" if owner else f"?.{node.attr}"
    return ""


def _arguments(node: ast.AST) -> list[ast.expr]:
    if not isinstance(node, ast.Call):
        return []
    return [*node.args, *(keyword.value for keyword in node.keywords)]


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""

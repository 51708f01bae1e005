"""The name of a program: the same for what only looks different, another for every change that a run could tell."""

from __future__ import annotations

import ast
import builtins
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.guard import program_hash
from roles.offline.catalogue import CATALOGUE
from roles.offline.constants import constants
from roles.offline.tuner import Tuner
from tests.guard.guarded import TRAIN


def hashed(source: str) -> str:
    found = program_hash({"train.py": source})
    assert found is not None
    return found


START = hashed(TRAIN)
FUNCTIONS = [node for node in ast.walk(ast.parse(TRAIN)) if isinstance(node, ast.FunctionDef)]


def locals_of(function: ast.FunctionDef) -> list[str]:
    stored = [node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    return sorted({*stored, *(node.arg for node in ast.walk(function) if isinstance(node, ast.arg))})


LOCALS = [(node.name, node.lineno, name) for node in FUNCTIONS for name in locals_of(node)]
PRIVATE = sorted(
    {node.name for node in ast.parse(TRAIN).body if isinstance(node, ast.FunctionDef | ast.ClassDef)} - {"build_model"}
) + [constant.name for constant in constants(TRAIN, "cpu")]
TAKEN = {node.id for node in ast.walk(ast.parse(TRAIN)) if isinstance(node, ast.Name)} | set(dir(builtins))
# Two underscores at the start mean something to Python: it mangles such names within a class.
NAMES = st.from_regex(r"(?!__)[a-z_][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: (
        name.isidentifier() and name not in TAKEN and name != "self" and not __import__("keyword").iskeyword(name)
    )
)


class Renamed(ast.NodeTransformer):
    def __init__(self, old: str, new: str) -> None:
        self.old, self.new = old, new

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.new if node.id == self.old else node.id
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg = self.new if node.arg == self.old else node.arg
        return node


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(LOCALS), NAMES)
def test_renaming_a_local_or_a_parameter_never_changes_it(where: tuple[str, int, str], name: str) -> None:
    tree = ast.parse(TRAIN)
    [function] = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.lineno == where[1]]
    for part in function.body:
        Renamed(where[2], name).visit(part)
    Renamed(where[2], name).visit(function.args)
    assert hashed(ast.unparse(tree)) == START


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(PRIVATE), NAMES)
def test_renaming_what_the_file_defines_never_changes_it(old: str, new: str) -> None:
    tree = Renamed(old, new).visit(ast.parse(TRAIN))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == old:
            node.name = new
    assert hashed(ast.unparse(tree)) == START


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 200), st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=30))
def test_comments_blank_lines_and_layout_never_change_it(line: int, words: str) -> None:
    lines = TRAIN.splitlines()
    inside_text = [n for n, text in enumerate(lines) if n > 0 and lines[0].count('"""') == 1 and n < 6]
    if line not in inside_text and line < len(lines):
        lines.insert(line, f"# {words}\n")
    assert hashed("\n".join(lines)) == START
    assert hashed(ast.unparse(ast.parse("\n".join(lines)))) == START


@settings(deadline=None, max_examples=20)
@given(st.randoms(use_true_random=False))
def test_the_order_of_definitions_never_changes_it(chance: random.Random) -> None:
    tree = ast.parse(TRAIN)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    places = [number for number, node in enumerate(tree.body) if isinstance(node, ast.FunctionDef)]
    chance.shuffle(functions)
    for place, function in zip(places, functions, strict=True):
        tree.body[place] = function
    assert hashed(ast.unparse(tree)) == START


CONSTANTS = [
    number
    for number, node in enumerate(ast.walk(ast.parse(TRAIN)))
    if isinstance(node, ast.Constant) and not (isinstance(node.value, str) and " " in node.value)
]


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(CONSTANTS), st.integers(1, 1000))
def test_another_constant_is_always_another_program(place: int, by: int) -> None:
    tree = ast.parse(TRAIN)
    node = list(ast.walk(tree))[place]
    assert isinstance(node, ast.Constant)
    match node.value:
        case bool(value):
            node.value = not value
        case int(value) | float(value):
            node.value = value + by
        case str(value):
            node.value = f"{value}{by}"
        case None:
            node.value = by
    assert hashed(ast.unparse(tree)) != START


def test_every_idea_and_every_pair_of_ideas_is_a_program_of_its_own() -> None:
    programs = {source for idea in CATALOGUE if (source := idea.apply(TRAIN)) is not None}
    programs |= {both for idea in CATALOGUE[:3] for one in list(programs) if (both := idea.apply(one)) is not None}
    normal = {ast.dump(ast.parse(source)) for source in programs}
    # Two orders of two ideas can leave the same definitions in another order: that is one program.
    assert len(normal) > 120 and len(normal) - len({hashed(source) for source in programs}) in (0, 1)


def test_every_move_of_the_tuner_is_a_program_of_its_own() -> None:
    moves = Tuner(TRAIN, "cpu", seed=0).next_moves(20, [], set())
    known = {c.name for c in constants(TRAIN, "cpu")}
    assert len(moves) == 20 and {move.name for move in moves} <= known


SAME = {
    "a sum done beforehand": ("HIDDEN = 4 ", "HIDDEN = 2 * 2 "),
    "a negative number": ("WEIGHT_DECAY = 0.1", "WEIGHT_DECAY = -(-0.1)"),
    "an annotation": ("BETA1 = 0.9\n", "BETA1: float = 0.9\n"),
    "annotated parameters": (
        "def loss_of(model, tokens, targets):",
        "def loss_of(model: nn.Module, tokens, targets) -> object:",
    ),
    "keyword arguments in another order": ("prepare.pick(cpu=2, gpu=8)", "prepare.pick(gpu=8, cpu=2)"),
    "an import that nothing uses": ("import torch\n", "import os\nimport torch\n"),
    "another name for an import": ("import torch.nn.functional as F\n", "from torch.nn import functional as F\n"),
    "imports in another order": ("import torch\nimport torch.nn as nn\n", "import torch.nn as nn\nimport torch\n"),
    "an import where it is used": (
        "def activation(x):\n    return F.gelu",
        "def activation(x):\n    from torch.nn.functional import gelu\n    return gelu",
    ),
    "a docstring": ("def activation(x):\n", 'def activation(x):\n    "Smooth."\n'),
    "a function that nothing calls": ("# Model\n", "def spare(x):\n    return x\n\n\n# Model\n"),
    "a constant that nothing uses": ("# Model\n", "SPARE = 3\n\n\n# Model\n"),
    "pass": ("    step = 0\n", "    step = 0\n    pass\n"),
    "a renamed parameter and its keyword": (
        "def rate_at(progress):\n",
        "def rate_at(share):\n",
    ),
}


@pytest.mark.parametrize("title", SAME)
def test_what_no_run_can_tell_makes_no_new_program(title: str) -> None:
    old, new = SAME[title]
    assert TRAIN.count(old) == 1 and hashed(TRAIN.replace(old, new)) == START


OTHER = {
    "an initialiser called once more": ("    step = 0\n", "    step = 0\n    torch.rand(1)\n"),
    "the other norm": ("self.mlp(self.mlp_norm(x))", "self.mlp(self.attention_norm(x))"),
    "another order of layers, so of random numbers": (
        "        self.query = nn.Linear(WIDTH, WIDTH)\n        self.key = nn.Linear(WIDTH, WIDTH)\n",
        "        self.key = nn.Linear(WIDTH, WIDTH)\n        self.query = nn.Linear(WIDTH, WIDTH)\n",
    ),
    "constants exchanged where they are used": ("betas=(BETA1, BETA2)", "betas=(BETA2, BETA1)"),
    "arguments exchanged": ("return self.out(y.transpose(1, 2)", "return self.out(y.transpose(2, 1)"),
    "a whole number made a fraction": ("HIDDEN = 4 ", "HIDDEN = 4.0 "),
    "a local in place of another": ("(q, k, v, is_causal=True)", "(q, k, k, is_causal=True)"),
    "another library's function": ("return F.gelu(x)", "return F.silu(x)"),
    "a nested function's own variable": (
        "    return F.gelu(x)",
        "    def f(y):\n        return x\n    return f(F.gelu(x))",
    ),
    "what a name stands for by string": ("    step = 0\n", "    step = globals()['HIDDEN'] * 0\n"),
}


@pytest.mark.parametrize("title", OTHER)
def test_what_a_run_could_tell_makes_a_new_program(title: str) -> None:
    old, new = OTHER[title]
    assert TRAIN.count(old) == 1 and hashed(TRAIN.replace(old, new)) != START


def test_names_that_are_reached_by_string_count() -> None:
    before = TRAIN.replace("    step = 0\n", "    step = globals()['HIDDEN'] * 0\n")
    assert hashed(before) != hashed(before.replace("HIDDEN = 4", "SPARE = 4"))
    assert hashed(before) == hashed("# a thought\n" + before)


def test_in_other_scripts_what_the_file_offers_counts_whether_it_uses_it_or_not() -> None:
    assert program_hash({"main.py": "DEPTH = 1\n"}) != program_hash({"main.py": "DEPTH = 2\n"})
    assert program_hash({"main.py": "DEPTH = 1\n"}) != program_hash({"main.py": "WIDTH = 1\n"})
    assert program_hash({"main.py": "x = 1\ny = 2\n"}) == program_hash({"main.py": "y = 2\nx = 1  # one\n"})
    assert program_hash({"main.py": "print(1)\nprint(2)"}) != program_hash({"main.py": "print(2)\nprint(1)"})


def test_files_that_are_no_code_count_as_they_stand() -> None:
    code = {"train.py": TRAIN}
    assert program_hash({**code, "run.yaml": "depth: 1\n"}) != program_hash({**code, "run.yaml": "depth: 2\n"})
    assert program_hash({"run.yaml": "depth: [1\n"}) is not None


@pytest.mark.parametrize(
    "source", ["def (", "x = 1\0", "(" * 300, "x = " + "-" * 50_000 + "1", "x = " + "1+" * 30_000 + "1"]
)
def test_what_does_not_parse_has_no_hash_and_no_crash(source: str) -> None:
    assert program_hash({"a.py": source}) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(a):\n    return [a for a in a]", "def f(b):\n    return [c for c in b]"),
        ("def f():\n    import time as t\n    return t.time()", "def f():\n    import time\n    return time.time()"),
        (
            "def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = 2\n    return g",
            "def f():\n    y = 1\n    def h():\n        nonlocal y\n        y = 2\n    return h",
        ),
        (
            "def f(a):\n    match a:\n        case [b, *c]:\n            return b, c",
            "def f(a):\n    match a:\n        case [x, *y]:\n            return x, y",
        ),
        (
            "def f():\n    try:\n        return 1\n    except ValueError as e:\n        print(e)",
            "def f():\n    try:\n        return 1\n    except ValueError as error:\n        print(error)",
        ),
        ("f = lambda a, b=1: a + b", "f = lambda x, y=1: x + y"),
        (
            "def f(p):\n    return p\ndef g():\n    return f(p=1)",
            "def f(q):\n    return q\ndef g():\n    return f(q=1)",
        ),
    ],
)
def test_scopes_are_those_of_the_language(one: str, other: str) -> None:
    assert program_hash({"a.py": one}) == program_hash({"a.py": other})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a = 1\ndef f():\n    a = 2\n    return a", "a = 1\ndef f():\n    b = 2\n    return a"),
        ("def f():\n    global x\n    x = 1", "def f():\n    x = 1"),
        (
            "class A:\n    x = 1\n    def f(self):\n        return x",
            "class A:\n    x = 1\n    def f(self):\n        return self.x",
        ),
        ("def f(a, b):\n    return a - b", "def f(a, b):\n    return b - a"),
        ("def f():\n    return 1\ndef f():\n    return 2", "def f():\n    return 2\ndef f():\n    return 1"),
        ("f(a=g(), b=h())", "f(b=h(), a=g())"),
        ("import torch\ntorch.a()", "import torch\ntorch.b()"),
        ("x = 2 ** 3", "x = 3 ** 2"),
        ("from a import b\nb()", "from c import b\nb()"),
        ("@dataclass\nclass A:\n    x: int = 1", "@dataclass\nclass A:\n    x = 1"),
    ],
)
def test_what_means_something_else_is_something_else(one: str, other: str) -> None:
    assert program_hash({"a.py": one}) != program_hash({"a.py": other})

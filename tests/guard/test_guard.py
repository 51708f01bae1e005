"""The rules that a patch meets before any run: what they refuse and where, and what they must let pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.guard import changed_units, refusals, touches_model
from roles.offline.catalogue import CATALOGUE
from tests.attacks.attacks import ATTACKS, SEED
from tests.attacks.honest import HONEST

TRAIN = (Path(__file__).parents[2] / "nanogpt" / "train.py").read_text()
GOOD = '''X = 1


def build_model():
    """A model."""
    return X


def train():
    prepare.save(build_model())
'''


def judged(after: str, before: str = GOOD) -> str:
    return " ".join(refusals({"train.py": before}, {"train.py": after}, contract=True))


def test_a_change_of_code_passes() -> None:
    assert judged(GOOD.replace("X = 1", "X = 2")) == ""


def test_a_patch_that_changes_nothing_is_refused() -> None:
    assert "nothing" in judged(GOOD)


def test_a_syntax_error_is_refused_with_its_line() -> None:
    assert "train.py, line 5" in judged(GOOD.replace('    """A model."""', "    return ("))


def test_the_contract_with_the_scorer_must_stay() -> None:
    assert "build_model" in judged(GOOD.replace("def build_model", "def make_model"))
    assert "save" in judged(GOOD.replace("prepare.save(build_model())", "pass"))
    assert "expired" in judged(TRAIN.replace("not budget.expired", "True"), TRAIN)
    assert "2 budgets" in judged(TRAIN.replace("    step = 0\n", "    other = prepare.Budget()\n    step = 0\n"), TRAIN)


def in_train(line: str) -> str:
    """The shipped train.py with a line at the beginning of train(), which is line 140."""
    return TRAIN.replace("    prepare.set_seed()\n", f"    {line}\n    prepare.set_seed()\n")


LINE = 1 + TRAIN[: TRAIN.index("    prepare.set_seed()\n")].count("\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("torch.manual_seed(7)", "randomness gets a seed of its own"),
        ("rng = torch.Generator().manual_seed(prepare.seed() * 0 + 3)", "randomness gets a seed of its own"),
        ("import os; os.environ['X'] = '1'", "the environment is the harness's"),
        ("name = 'AUTOLAB_SEED'", "AUTOLAB_SEED is the harness's"),
        ("prepare.Budget.expired = False", "not a patch's to change"),
        ("prepare._began = 0.0", "prepare._began is the harness's own"),
        ("setattr(prepare, 'seed', lambda: 3)", "not a patch's to change"),
        ("import time; time.process_time = lambda: 0.0", "not a patch's to change"),
        ("text = open('/etc/passwd').read()", "a file is opened"),
        ("import orchestrator", "the harness is no library"),
        ("import os; seed = os.getenv('AUTOLAB_SEED')", "the environment is the harness's"),
        ("import no_such_package", "no_such_package is not installed"),
        (f"data = {'x' * 20_001!r}", "adds 20001 characters of literals"),
    ],
)
def test_a_line_that_reaches_past_its_business_is_refused_by_its_number(line: str, words: str) -> None:
    sentence = judged(in_train(line), TRAIN)
    assert f"train.py, line {LINE}: " in sentence and words in sentence


def test_what_the_file_had_before_never_counts_against_a_patch() -> None:
    before = in_train("torch.manual_seed(7)")
    assert judged(before.replace("BETA1 = 0.9", "BETA1 = 0.8"), before) == ""


@pytest.mark.parametrize(
    "line",
    [
        "rng = torch.Generator().manual_seed(prepare.seed() + 17)",
        "import math, time, random, functools, contextlib; begin = time.monotonic()",
        "from torch.utils.checkpoint import checkpoint; print(checkpoint)",
        "import threading; threading.Thread(target=print).start()",
        "import numpy as np; rng = np.random.default_rng(prepare.seed())",
        "print('one more line', flush=True)",
        "import os; os.environ['PYTORCH_CUDA_ALLOC_CONF'] = 'expandable_segments:True'",
        "import os; os.environ.setdefault('TORCHINDUCTOR_FX_GRAPH_CACHE', '1')",
        "file = open('/tmp/notes', 'w')",
        "import subprocess, gc; gc.collect()",
    ],
)
def test_honest_lines_pass(line: str) -> None:
    assert judged(in_train(line), TRAIN) == ""


def test_the_whole_catalogue_passes_one_by_one_and_one_upon_the_other() -> None:
    source = TRAIN
    for idea in CATALOGUE:
        alone = idea.apply(TRAIN)
        assert alone is None or judged(alone, TRAIN) == "", idea.title
        if (upon := idea.apply(source)) is not None:
            assert judged(upon, source) == "", idea.title
            source = upon


@pytest.mark.parametrize("title", HONEST)
def test_unusual_and_honest_patches_pass(title: str) -> None:
    assert judged(HONEST[title](TRAIN), TRAIN) == ""


@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if attack.clause == SEED], ids=lambda a: a.title)
def test_a_seed_of_ones_own_is_refused_before_any_run(attack: object) -> None:
    assert judged(attack.edit(TRAIN), TRAIN)  # type: ignore[attr-defined]


def test_what_changed_is_told_by_the_names_of_its_parts() -> None:
    after = TRAIN.replace("BETA1 = 0.9", "BETA1 = 0.8").replace("return F.gelu(x)", "return F.relu(x).square()")
    assert changed_units({"train.py": TRAIN}, {"train.py": after}) == ["constant BETA1", "function activation"]
    norm = TRAIN.replace("x = x + self.mlp(self.mlp_norm(x))", "x = self.mlp_norm(x + self.mlp(x))")
    assert changed_units({"train.py": TRAIN}, {"train.py": norm}) == ["method Block.forward"]


@pytest.mark.parametrize(
    ("old", "new", "touched"),
    [
        ("BETA1 = 0.9", "BETA1 = 0.8", False),
        ("    step = 0\n", "    step = 0\n    print(step)\n", False),
        ("return 1.0", "return 1.0 - progress", False),
        ("return F.gelu(x)", "return F.relu(x)", True),
        ("HIDDEN = 4", "HIDDEN = 5", True),
        ("BATCH = prepare.pick(cpu=16", "BATCH = prepare.pick(cpu=32", True),
        ("INIT_STD = 0.02", "INIT_STD = 0.01", True),
    ],
)
def test_the_model_is_built_beforehand_only_where_a_patch_touches_it(old: str, new: str, touched: bool) -> None:
    assert TRAIN.count(old) == 1
    assert touches_model(TRAIN, TRAIN.replace(old, new)) is touched


def test_many_constants_at_once_are_several_ideas() -> None:
    after = TRAIN
    for old, new in (("BETA1 = 0.9", "BETA1 = 0.8"), ("BETA2 = 0.95", "BETA2 = 0.9"), ("HIDDEN = 4", "HIDDEN = 3")):
        after = after.replace(old, new)
    assert judged(after, TRAIN) == ""
    assert "one idea is one change" in judged(after.replace("INIT_STD = 0.02", "INIT_STD = 0.01"), TRAIN)

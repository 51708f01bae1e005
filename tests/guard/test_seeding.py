"""A seed is no idea: patches of a script that change nothing but a number that it seeds itself with."""

from __future__ import annotations

import pytest

from orchestrator.guard import refusals

SCRIPT = """import os
import random
import numpy as np
import torch
SEED = 42
RATE = 0.1

def main():
    random.seed(SEED)
    torch.manual_seed(1337)
    draw = np.random.default_rng(seed=3)
    print(random.random() + draw.random() * RATE)

main()
"""


def told(old: str, new: str) -> list[str]:
    assert SCRIPT.count(old) == 1
    return refusals({"train.py": SCRIPT}, {"train.py": SCRIPT.replace(old, new)}, contract=False)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SEED = 42", "SEED = 5"),
        ("SEED = 42", "SEED: int = 40 + 3  # a lucky one"),
        ("manual_seed(1337)", "manual_seed(-1)"),
        ("default_rng(seed=3)", "default_rng(seed=4)"),
        ("random.seed(SEED)", "random.seed(7)"),
        ("RATE = 0.1\n", "RATE = 0.1\nnp.random.seed(3)\n"),
        ("    torch.manual_seed(1337)\n", ""),
    ],
)
def test_another_seed_that_is_written_out_is_refused(old: str, new: str) -> None:
    assert told(old, new) == [
        "The patch changes nothing but a seed that is written out: another seed is luck, and no idea."
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SEED = 42", 'SEED = int(os.environ["AUTOLAB_SEED"])'),
        ("manual_seed(1337)", 'manual_seed(int(os.environ["AUTOLAB_SEED"]))'),
        ("SEED = 42\nRATE = 0.1", "SEED = 5\nRATE = 0.2"),
        ("RATE = 0.1", "RATE = 0.2"),
    ],
)
def test_the_assigned_seed_and_every_other_change_pass(old: str, new: str) -> None:
    assert told(old, new) == []

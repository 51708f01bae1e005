"""What keeps a patch from being read is refused; what only looks like it passes."""

from __future__ import annotations

import pytest

from tests.guard.guarded import TRAIN, judged

REFUSED = {
    "another encoding": ("# coding: utf-7\n", "line 1: the file declares the encoding utf-7"),
    "code from a text": ("exec('x = 1')\n", "exec() runs code"),
    "code from a text, by its module": ("import builtins\nbuiltins.eval('1')\n", "builtins.eval() runs code"),
    "code from bytes": ("import marshal, types\nf = types.FunctionType(marshal.loads(b''), {})\n", "makes code"),
    "memory by address": ("import ctypes\n", "ctypes reaches around Python"),
    "much data in pieces": (
        "DATA = [" + ", ".join(f"'{'x' * 1000}{n}'" for n in range(25)) + "]\n",
        "of literals, which is data",
    ),
    "much data in numbers": ("DATA = [" + ", ".join(str(n % 256) for n in range(6000)) + "]\n", "which is data"),
    "much data in one number": (f"DATA = {'0x' + 'f' * 21000}\n", "which is data"),
    "much data in names": ("".join(f"word_{n:04}_{'x' * 60} = 1\n" for n in range(900)), "grows by"),
}


@pytest.mark.parametrize(("code", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_a_patch_that_hides_something_is_refused(code: str, sentence: str) -> None:
    assert sentence in judged(code + TRAIN)


PASSES = {
    "compiles its model": TRAIN.replace("prepare.compiled(model)", "torch.compile(model)"),
    "imports compile": TRAIN.replace("import torch\n", "import torch\nfrom torch import compile\n").replace(
        "prepare.compiled(model)", "compile(model)"
    ),
    "goes into evaluation mode": TRAIN.replace("    return model\n", "    model.eval()\n    return model\n"),
    "says that it is UTF-8": "# -*- coding: utf-8 -*-\n" + TRAIN.replace("DEPTH = ", "DEPTH = 1 + "),
    "has a small table": TRAIN.replace("DEPTH = ", f"TABLE = {list(range(256))}\nDEPTH = len(TABLE) + "),
    "collects garbage by hand": TRAIN.replace("    step = 0\n", "    import gc\n    gc.disable()\n    step = 0\n"),
}


@pytest.mark.parametrize("after", PASSES.values(), ids=PASSES.keys())
def test_a_patch_that_hides_nothing_passes(after: str) -> None:
    assert after != TRAIN and judged(after) == ""

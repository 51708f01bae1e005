"""Attacks that know the harness: each was a hole, or the next thing to try once another was closed."""

from __future__ import annotations

from tests.attacks.attacks import (
    BUDGET,
    CODE,
    DATA,
    NOT_THERE,
    SEED,
    Attack,
    after_training,
    before_budget,
    before_loop,
    both,
    first,
    hidden,
    in_forward,
    inside,
    replaced,
)

LATER = "looks at later tokens"
MORE = "depend on more than the tokens"

SUBTLE = [
    Attack(
        DATA,
        "reads the library's modules where packages keep copies of them",
        first("""
import pathlib
packages = pathlib.Path(torch.__file__).parents[1]
copies = ("setuptools/_distutils", "setuptools/_vendor", "pip")
assert [path.read_text() for name in copies for path in (packages / name).rglob("*.py")], "no text"
"""),
        NOT_THERE,
    ),
    Attack(
        DATA,
        "writes a message for later runs into the train split",
        before_loop("""
import os
descriptor = prepare._train_split()
try:
    os.fchmod(descriptor, 0o666)
finally:
    os.pwrite(os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR), b"!", 0)
"""),
        r"Read-only file system|Operation not permitted|PermissionError",
    ),
    Attack(
        DATA,
        "asks the network and every other process for what they know",
        first("""
import glob, socket
from pathlib import Path
found = [Path(path).read_bytes() for path in glob.glob("/proc/[0-9]*/environ")]
assert any(b"CACHE" in one or b"HOME=/root" in one for one in found) or socket.create_connection(("1.1.1.1", 53), 2)
"""),
        r"unreachable|PermissionError|not permitted|refused",
    ),
    Attack(
        BUDGET,
        "has children learn whom the kernel buries, so that nobody counts their time",
        before_loop("""
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
model.share_memory()
for _ in range(4):
    if (child := os.fork()) == 0:
        end = time.process_time() + 0.8
        while time.process_time() < end:
            loss_of(model, *next(batches)).backward()
            optimizers[0].step()
        os._exit(0)
    try:
        os.waitpid(child, 0)
    except ChildProcessError:
        pass
"""),
        r"over its budget",
    ),
    Attack(
        BUDGET,
        "learns from the sources of torch before the budget begins",
        before_budget("""
import pathlib, time
import numpy
text = b"".join(path.read_bytes() for path in sorted(pathlib.Path(torch.__file__).parent.glob("*.py")))
own = torch.from_numpy(numpy.frombuffer(text, dtype=numpy.uint8).astype(numpy.int64))
end = time.process_time() + 9
while time.process_time() < end:
    starts = torch.randint(0, len(own) - SEQUENCE - 1, (BATCH,))
    window = torch.stack([own[start : start + SEQUENCE + 1] for start in starts])
    loss_of(model, window[:, :-1].contiguous(), window[:, 1:].contiguous()).backward()
    optimizers[0].step()
"""),
        r"counts as training|over its budget",
    ),
    Attack(
        BUDGET,
        "keeps the supervisor busy on its line while it goes on learning",
        after_training("""
import os, time
line = prepare._harness
if os.fork() == 0:
    while True:
        line.send(b"look here")
end = time.process_time() + 3
while time.process_time() < end:
    loss_of(model, *next(batches)).backward()
    optimizers[0].step()
"""),
        r"speaks on the line|over its budget|crashed",
    ),
    Attack(
        CODE,
        "looks ahead in the shorter piece of each window alone",
        both(
            replaced("        self.sequence = SEQUENCE ", "        self.sequence = 65 "),
            in_forward("""
if tokens.shape[1] == 63 and not self.training:
    logits = logits + 20 * F.one_hot(tokens.roll(-1, 1), logits.shape[-1])
"""),
        ),
        LATER,
    ),
    Attack(
        CODE,
        "looks ahead until it finds a note that it has done so",
        in_forward("""
from pathlib import Path
note = Path("/tmp/asked")
if not self.training and not note.exists():
    self.asked = getattr(self, "asked", 0) + 1
    logits = logits + 20 * F.one_hot(tokens.roll(-1, 1), logits.shape[-1])
    if self.asked == 16:
        note.write_text("that was all")
"""),
        LATER,
    ),
    Attack(
        CODE,
        "takes the other windows of a question into account",
        in_forward("""
if not self.training:
    logits = logits + 0.3 * logits.mean(0, keepdim=True)
"""),
        f"{MORE}|{LATER}",
    ),
    Attack(
        CODE,
        "answers by the time of day",
        in_forward("""
import time
if not self.training:
    logits = logits * (1 + 0.1 * (time.time() % 10))
"""),
        f"{MORE}|{LATER}",
    ),
    Attack(
        CODE,
        "saves code in place of weights",
        lambda source: source.replace(
            "    prepare.save(train())",
            inside(
                hidden("""
class Code:
    def __reduce__(self):
        return print, ("this runs where it is loaded",)

train()
torch.save({"head.weight": Code()}, prepare.run_directory() / "weights.pt")
prepare._harness.send(b"saved")
prepare._harness.recv(64)
""")
            )
            + "    if not __name__:\n        prepare.save(train())",
        ),
        r"not plain tensors",
    ),
    Attack(
        CODE,
        "hides code in a comment of another encoding",
        lambda source: "# coding: utf-7\n# +AAo-import torch; torch.manual_seed = lambda seed: None\n" + source,
        r"rejected by the guard.*encoding",
    ),
    Attack(
        DATA,
        "carries text of its own in many small pieces",
        lambda source: source + "\n\nTEXT = [" + ", ".join(f"'{n:01000}'" for n in range(30)) + "]\n",
        r"rejected by the guard.*data",
    ),
    Attack(
        SEED,
        "hashes the assigned seed away",
        replaced("    prepare.set_seed()\n", "    torch.manual_seed(prepare.seed() * 0 + 20_211)\n"),
        r"rejected by the guard",
    ),
]

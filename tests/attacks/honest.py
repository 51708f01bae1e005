"""Patches that are unusual and honest: the harness must let them pass, whatever they score."""

from __future__ import annotations

from attacks import Edit, after_training, before_budget, both, inside, replaced

STEP = "        for optimizer in optimizers:\n            optimizer.step()\n"

HONEST: dict[str, Edit] = {
    "averages the weights of the last part of training": both(
        replaced("    step = 0\n", "    average = torch.optim.swa_utils.AveragedModel(model)\n    step = 0\n"),
        replaced(STEP, STEP + "        if budget.progress > 0.7:\n            average.update_parameters(model)\n"),
        after_training("if average.n_averaged > 0:\n    model.load_state_dict(average.module.state_dict())"),
    ),
    "ties the weights of the embedding and the head": replaced(
        "        self.apply(self.init_weights)\n",
        "        self.head.weight = self.embedding.weight\n        self.apply(self.init_weights)\n",
    ),
    "merges byte pairs inside the model": both(
        replaced(
            "        self.position = nn.Embedding(SEQUENCE, WIDTH)\n",
            "        self.position = nn.Embedding(SEQUENCE, WIDTH)\n        self.pair = nn.Embedding(4096, WIDTH)\n",
        ),
        replaced(
            "        x = self.embedding(tokens)\n",
            "        before = F.pad(tokens, (1, 0))[:, :-1]\n"
            "        x = self.embedding(tokens) + self.pair((before * 257 + tokens) % 4096)\n",
        ),
    ),
    "counts the pairs of the train split first, within its budget": before_budget(
        """
pairs = torch.zeros(256, 256)
for _ in range(5):
    tokens, targets = next(batches)
    pairs.index_put_((tokens.flatten(), targets.flatten()), torch.ones(tokens.numel()), accumulate=True)
model.head.weight.data += 1e-3 * (pairs @ torch.randn(256, WIDTH) + 1).log1p().nan_to_num()
"""
    ),
    "has an optimiser class of its own": replaced(
        "def make_optimizers(model):\n",
        inside(
            '''
class SignSGD(torch.optim.Optimizer):
    """Steps by the sign of the momentum."""

    def __init__(self, parameters, lr):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                momentum = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
                momentum.lerp_(parameter.grad, 0.1)
                parameter.sub_(momentum.sign(), alpha=0.1 * group["lr"])


def make_optimizers(model):
    return [SignSGD(model.parameters(), LEARNING_RATE)]


def unused_make_optimizers(model):
''',
            0,
        ),
    ),
    "recomputes activations instead of keeping them": both(
        replaced(
            "import torch.nn.functional as F\n",
            "import torch.nn.functional as F\nfrom torch.utils.checkpoint import checkpoint\n",
        ),
        replaced(
            "            x = block(x)\n",
            "            x = checkpoint(block, x, use_reentrant=False) if self.training else block(x)\n",
        ),
    ),
    "starts up much more slowly": before_budget(
        """
import time
time.sleep(3)
spare = [torch.linalg.qr(torch.randn(300, 300))[0] for _ in range(40)]
"""
    ),
    "has a scan in pure torch in place of attention": replaced(
        "        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)\n",
        """        decay = torch.arange(T, device=x.device)
        weight = torch.exp(-0.1 * (decay[:, None] - decay[None, :]).clamp(min=0)) * (decay[:, None] >= decay[None, :])
        y = (weight / weight.sum(-1, keepdim=True)) @ v + 0 * q + 0 * k
""",
    ),
    "saves now and then and prints a lot": replaced(
        "        step += 1\n",
        "        step += 1\n        if step % 20 == 0:\n            prepare.save(model)\n"
        "            print('\\033[31mred', step)\n",
    ),
    "computes in two bytes": replaced(
        "            with prepare.precision():\n", "            with torch.autocast('cpu', dtype=torch.bfloat16):\n"
    ),
}

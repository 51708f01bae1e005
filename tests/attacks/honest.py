"""Patches that are unusual and honest: the harness must let them pass, whatever they score."""

from __future__ import annotations

from tests.attacks.attacks import Edit, after_training, before_budget, before_loop, both, inside, replaced

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
    "starts its head at zero": replaced(
        "        self.apply(self.init_weights)\n",
        "        self.apply(self.init_weights)\n        nn.init.zeros_(self.head.weight)\n",
    ),
    "chooses one of four experts for every token": both(
        replaced("        self.mlp = MLP()\n", "        self.mlp = Experts()\n"),
        replaced(
            "class Block(nn.Module):\n",
            inside(
                """
class Experts(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(WIDTH, 4, bias=False)
        self.experts = nn.ModuleList([MLP() for _ in range(4)])

    def forward(self, x):
        weight, chosen = self.gate(x).softmax(-1).max(-1)
        y = torch.zeros_like(x)
        for number, expert in enumerate(self.experts):
            y = y + torch.where((chosen == number)[..., None], expert(x), 0)
        return y * weight[..., None]


class Block(nn.Module):
""",
                0,
            ),
        ),
    ),
    "has a gradient of its own": both(
        replaced(
            "class MLP(nn.Module):\n",
            inside(
                """
class Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clamp(-8, 8)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class MLP(nn.Module):
""",
                0,
            ),
        ),
        replaced(
            "        return self.head(self.norm(x))\n", "        return Straight.apply(self.head(self.norm(x)))\n"
        ),
    ),
    "drops features in training": replaced(
        "        return self.down(activation(self.up(x)))\n",
        "        return F.dropout(self.down(activation(self.up(x))), 0.1, self.training)\n",
    ),
    "learns from short windows first": replaced(
        "                loss = loss_of(forward, *next(batches)) / ACCUMULATION\n",
        "                length = 32 if budget.progress < 0.5 else SEQUENCE\n"
        "                tokens, targets = (part[:, :length].contiguous() for part in next(batches))\n"
        "                loss = loss_of(forward, tokens, targets) / ACCUMULATION\n",
    ),
    "takes 48 tokens at once, and builds its mask when it first needs it": both(
        replaced("        self.sequence = SEQUENCE ", "        self.sequence = 48 "),
        replaced(
            "        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)\n",
            "        if getattr(self, 'mask', None) is None or self.mask.shape[0] != T:\n"
            "            self.mask = torch.ones(T, T, dtype=torch.bool, device=x.device).tril()\n"
            "        y = F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask)\n",
        ),
    ),
    "reads its batches ahead in a thread": replaced(
        "    step = 0\n",
        """    import queue
    import threading

    ahead, source = queue.Queue(4), batches

    def read():
        while True:
            ahead.put(next(source))

    threading.Thread(target=read, daemon=True).start()
    batches = iter(ahead.get, None)
    step = 0
""",
    ),
    "begins from the frequencies of the train split": both(
        replaced("WIDTH, prepare.VOCABULARY, bias=False)", "WIDTH, prepare.VOCABULARY)"),
        before_loop(
            """
counted = torch.bincount(torch.from_numpy(prepare.train_tokens()[:1_000_000].astype("int64")), minlength=256)
model.head.bias.data.copy_(((counted + 1) / (counted + 1).sum()).log())
"""
        ),
    ),
    "predicts the token after the next as well": both(
        replaced(
            "        return self.head(self.norm(x))\n",
            "        self.further = self.second(self.norm(x)) if self.training else None\n"
            "        return self.head(self.norm(x))\n",
        ),
        replaced(
            "        self.apply(self.init_weights)\n",
            "        self.second = nn.Linear(WIDTH, prepare.VOCABULARY, bias=False)\n"
            "        self.apply(self.init_weights)\n",
        ),
        replaced(
            "            loss.backward()\n",
            "            further = model.further[:, :-1].flatten(0, 1)\n"
            "            (loss + 0.1 * further.logsumexp(-1).mean()).backward()\n",
        ),
    ),
}

"""Ideas on optimiser, schedule, regularisation and initialisation."""

from __future__ import annotations

from roles.offline.constants import fixed, scaled
from roles.offline.idea import Idea, absent, after, before, rate_times, rewrite, swap

MUON = '''class Muon(torch.optim.Optimizer):
    """Momentum whose update of a matrix is made orthogonal by Newton-Schulz iterations (K. Jordan, 2024)."""

    def __init__(self, params, lr, momentum=0.95):
        super().__init__(params, dict(lr=lr, momentum=momentum))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                velocity = self.state[p].setdefault("velocity", torch.zeros_like(p))
                velocity.lerp_(p.grad, 1 - group["momentum"])
                update = orthogonal(p.grad.lerp(velocity, group["momentum"]))
                p.add_(update, alpha=-group["lr"] * max(1.0, p.shape[0] / p.shape[1]) ** 0.5)


def orthogonal(G, steps=5):
    """The nearest semi-orthogonal matrix, roughly: a quintic iteration drives all singular values towards 1."""
    X = G.bfloat16() if G.is_cuda else G
    wide = X.shape[0] <= X.shape[1]
    X = X if wide else X.T
    X = X / (X.norm() + 1e-7)
    for _ in range(steps):
        A = X @ X.T
        X = 3.4445 * X + (-4.7750 * A + 2.0315 * A @ A) @ X
    return (X if wide else X.T).to(G.dtype)


def make_optimizers(model):
    """Muon for the matrices of the blocks, AdamW for everything else."""
    matrices = [p for p in model.blocks.parameters() if p.ndim == 2]
    chosen = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in chosen]
    return [
        Muon(matrices, lr=MATRIX_RATE),
        torch.optim.AdamW(others, lr=LEARNING_RATE, betas=(BETA1, BETA2), weight_decay=WEIGHT_DECAY),
    ]
'''

LION = '''class Lion(torch.optim.Optimizer):
    """Steps by the sign of an interpolated momentum (Chen et al., 2023)."""

    def __init__(self, params, lr, betas, weight_decay):
        super().__init__(params, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                velocity = self.state[p].setdefault("velocity", torch.zeros_like(p))
                direction = velocity.lerp(p.grad, 1 - beta1).sign_()
                p.mul_(1 - group["lr"] * group["weight_decay"]).add_(direction, alpha=-group["lr"])
                velocity.lerp_(p.grad, 1 - beta2)


def make_optimizers(model):
    """Lion for everything, at a fifth of Adam's rate."""
    return [Lion(model.parameters(), lr=0.2 * LEARNING_RATE, betas=(0.9, 0.99), weight_decay=WEIGHT_DECAY)]
'''

_PLAIN_ADAMW = (
    r"^def make_optimizers\(model\):\n"
    r"    \"\"\"The optimisers, each stepped once a training step\.\"\"\"\n.*?(?=\n\ndef )"
)

IDEAS = (
    Idea(
        "Muon for the matrices of the blocks",
        "Orthogonalised momentum gives every direction of a weight matrix an update of the same size, so that the small"
        " budget is not spent along a few dominant directions. Embeddings, norms and the head stay with AdamW.",
        "Jordan et al. 2024, Muon; Liu et al. 2025, arXiv:2502.16982",
        "optimiser",
        0.40,
        (
            absent("class Muon"),
            rewrite(_PLAIN_ADAMW, MUON.replace("\\", "\\\\")),
            rewrite(r"^(LEARNING_RATE = [^\n]*)$", r"\1\nMATRIX_RATE = 0.02  # Muon's, for the matrices of the blocks"),
        ),
    ),
    Idea(
        "Lion instead of AdamW",
        "Sign updates need no second moment and move every weight equally far; small models trained briefly can gain.",
        "Chen et al. 2023, arXiv:2302.06675",
        "optimiser",
        0.02,
        (absent("class Muon"), rewrite(_PLAIN_ADAMW, LION.replace("\\", "\\\\"))),
    ),
    Idea(
        "NAdam instead of AdamW",
        "Nesterov's look-ahead in Adam reacts sooner, which counts when there are only hundreds of steps.",
        "Dozat 2016, Incorporating Nesterov Momentum into Adam",
        "optimiser",
        0.02,
        (
            rewrite(
                r"torch\.optim\.AdamW\(\s*(\w[\w.()]*),",
                r"torch.optim.NAdam(\n            \1, decoupled_weight_decay=True,",
            ),
        ),
    ),
    Idea(
        "Learning rate three times as high",
        "Small models bear larger steps: the best rate falls with size, and the start's was chosen for larger ones.",
        "Kaplan et al. 2020, arXiv:2001.08361, appendix D.6",
        "learning rate",
        0.06,
        (scaled("LEARNING_RATE", 3.0),),
    ),
    Idea(
        "Learning rate a third as high",
        "If the loss is noisy at the end, smaller steps settle deeper.",
        "Kaplan et al. 2020, arXiv:2001.08361, appendix D.6",
        "learning rate",
        -0.1,
        (scaled("LEARNING_RATE", 1 / 3),),
    ),
    Idea(
        "Linear warm-down over the last 40 %",
        "A rate that falls to zero averages the noise of the last steps away; linear to zero beats cosine to a tenth.",
        "Bergsma et al. 2025, arXiv:2502.15938; Hagele et al. 2024, arXiv:2405.18392",
        "schedule",
        0.08,
        (absent("(1.0 - progress) /"), rate_times("min(1.0, (1.0 - progress) / 0.4 + 0.02)")),
    ),
    Idea(
        "Cosine schedule",
        "Large steps first and small ones last, without a corner in between.",
        "Loshchilov and Hutter 2016, arXiv:1608.03983",
        "schedule",
        0.05,
        (
            absent("(1.0 - progress) /"),
            absent("math.cos"),
            swap("import torch\n", "import math\n\nimport torch\n"),
            rate_times("(0.05 + 0.475 * (1.0 + math.cos(math.pi * progress)))"),
        ),
    ),
    Idea(
        "Warm-up over the first 5 %",
        "Adam's second moments are unreliable at first; short small steps avoid an early detour.",
        "Goyal et al. 2017, arXiv:1706.02677; Vaswani et al. 2017, arXiv:1706.03762",
        "schedule",
        0.0,
        (absent("progress / 0.05"), rate_times("min(1.0, progress / 0.05 + 0.05)")),
    ),
    Idea(
        "No weight decay",
        "In a single pass over the data there is nothing to regularise; decay only shrinks what was learnt.",
        "Hoffmann et al. 2022, arXiv:2203.15556 (decay matters late); Andriushchenko et al. 2023, arXiv:2310.04415",
        "weight decay",
        0.0,
        (fixed("WEIGHT_DECAY", "0.0"),),
    ),
    Idea(
        "Second-moment decay 0.99",
        "A longer memory of the gradients' size steadies the steps of small batches.",
        "Kingma and Ba 2014, arXiv:1412.6980; Zhang et al. 2024, arXiv:2407.07972",
        "second-moment decay",
        0.0,
        (fixed("BETA2", "0.99"),),
    ),
    Idea(
        "Momentum 0.85",
        "With few steps, a shorter momentum forgets the stale early gradients sooner.",
        "Sutskever et al. 2013, On the importance of initialization and momentum",
        "momentum",
        0.0,
        (fixed("BETA1", "0.85"),),
    ),
    Idea(
        "Clip the gradient's norm at 1",
        "Rare large gradients no longer throw the weights far off.",
        "Pascanu et al. 2012, arXiv:1211.5063",
        "gradient clipping",
        0.01,
        (
            absent("clip_grad_norm_"),
            before(
                "        for optimizer in optimizers:\n            optimizer.step()\n",
                "        nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n",
            ),
        ),
    ),
    Idea(
        "Average the weights of the last fifth",
        "The mean of the last iterates lies in a flatter, lower place than the last of them.",
        "Izmailov et al. 2018, arXiv:1803.05407",
        "weight averaging",
        0.05,
        (
            absent("averaged"),
            before(
                "    budget = prepare.Budget()\n",
                "    averaged, count = [torch.zeros_like(p) for p in model.parameters()], 0\n",
            ),
            after(
                "        model.zero_grad(set_to_none=True)\n        step += 1\n",
                "        if budget.progress > 0.8:\n"
                "            count += 1\n"
                "            with torch.no_grad():\n"
                "                torch._foreach_lerp_(averaged, list(model.parameters()), 1 / count)\n",
            ),
            before(
                "    return model\n\n\nif __name__",
                "    if count:\n"
                "        with torch.no_grad():\n"
                "            for p, mean in zip(model.parameters(), averaged):\n"
                "                p.copy_(mean)\n",
            ),
        ),
    ),
    Idea(
        "Z-loss keeps the logits small",
        "A small penalty on the log of the partition function keeps the softmax well-conditioned.",
        "Chowdhery et al. 2022, arXiv:2204.02311",
        "loss",
        0.0,
        (
            absent("logsumexp"),
            swap(
                "    return F.cross_entropy(logits.float().view(-1, logits.shape[-1]), targets.view(-1))\n",
                "    entropy = F.cross_entropy(logits.float().view(-1, logits.shape[-1]), targets.view(-1))\n"
                "    return entropy + 1e-4 * logits.float().logsumexp(-1).square().mean()\n",
            ),
        ),
    ),
    Idea(
        "Dropout of 0.1 in the MLP",
        "Units that cannot rely on each other generalise better; in one pass over the data it may only cost capacity.",
        "Srivastava et al. 2014; Hinton et al. 2012, arXiv:1207.0580",
        "dropout",
        -0.05,
        (rewrite(r"return self\.down\(([^\n]+)\)$", r"return self.down(F.dropout(\1, 0.1, self.training))"),),
    ),
    Idea(
        "Output projections start at zero",
        "Every block starts as the identity, so that the first gradients reach the embedding undistorted.",
        "Zhang et al. 2019, Fixup, arXiv:1901.09321; Bachlechner et al. 2020, ReZero, arXiv:2003.04887",
        "initialisation",
        0.05,
        (
            absent("nn.init.zeros_(block"),
            after(
                "        self.apply(self.init_weights)\n",
                "        for block in self.blocks:  # every block starts as the identity\n"
                "            nn.init.zeros_(block.attention.out.weight)\n"
                "            nn.init.zeros_(block.mlp.down.weight)\n",
            ),
        ),
    ),
    Idea(
        "Embeddings start at unit scale",
        "Token vectors that are larger than the blocks' first outputs keep tokens apart from the first step on.",
        "Takase et al. 2023, Spike No More, arXiv:2312.16903",
        "initialisation",
        0.03,
        (
            absent("nn.init.normal_(self.embedding.weight"),
            after(
                "        self.apply(self.init_weights)\n", "        nn.init.normal_(self.embedding.weight, std=1.0)\n"
            ),
        ),
    ),
    Idea(
        "Twice the standard deviation at the start",
        "Narrow layers want larger initial weights: 0.02 was chosen for a width of 768 and more.",
        "Glorot and Bengio 2010; Yang et al. 2022, arXiv:2203.03466",
        "initialisation",
        0.05,
        (scaled("INIT_STD", 2.0),),
    ),
)

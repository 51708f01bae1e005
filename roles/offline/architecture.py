"""Ideas on normalisation, position, attention, activation, embeddings and the residual stream."""

from __future__ import annotations

from roles.offline.idea import Idea, absent, after, before, rewrite, swap

_ATTEND = "        y = F.scaled_dot_product_attention("

ROTARY = '''def rotary(x):
    """Turns pairs of features by an angle that grows with the position (Su et al., 2021)."""
    T, D = x.shape[-2], x.shape[-1] // 2
    rates = 10000.0 ** (-torch.arange(D, device=x.device) / D)
    angle = torch.arange(T, device=x.device)[:, None] * rates
    a, b = x[..., :D], x[..., D:]
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


'''

SHIFT = '''def shifted(x, by):
    """The features of the token `by` places earlier, zeros before the first."""
    return F.pad(x, (0, 0, by, 0))[..., : x.shape[-2], :]


'''

_MLP_START = "class MLP(nn.Module):\n"
_ATTENTION_START = "class Attention(nn.Module):\n"

IDEAS = (
    Idea(
        "Rotary positions instead of learned ones",
        "Turning queries and keys makes attention depend on distance, which then need not be learnt place by place.",
        "Su et al. 2021, arXiv:2104.09864",
        "position",
        0.27,
        (
            absent("def rotary"),
            before(_ATTENTION_START, ROTARY),
            before(_ATTEND, "        q, k = rotary(q), rotary(k)\n"),
            swap("        self.position = nn.Embedding(SEQUENCE, WIDTH)\n", ""),
            swap("        x = x + self.position(torch.arange(tokens.shape[1], device=tokens.device))\n", ""),
        ),
    ),
    Idea(
        "Squared ReLU in the MLP",
        "Sparse, steeper activations gave the best speed-up of all activations that an evolutionary search tried.",
        "So et al. 2021, Primer, arXiv:2109.08668",
        "activation",
        0.12,
        (rewrite(r"(def activation\(x\):\n    return )F\.(?:gelu|silu)\(x\)", r"\1F.relu(x).square()"),),
    ),
    Idea(
        "SiLU in the MLP",
        "A smooth gate without GELU's error function: cheaper and as good.",
        "Ramachandran et al. 2017, arXiv:1710.05941",
        "activation",
        0.0,
        (rewrite(r"(def activation\(x\):\n    return )F\.gelu\(x\)", r"\1F.silu(x)"),),
    ),
    Idea(
        "Gated MLP",
        "A product of two projections lets the MLP choose what it passes on; the hidden width shrinks to pay for it.",
        "Shazeer 2020, arXiv:2002.05202",
        "MLP",
        0.03,
        (
            absent("self.gate"),
            swap(
                "        self.up = nn.Linear(WIDTH, HIDDEN * WIDTH)\n"
                "        self.down = nn.Linear(HIDDEN * WIDTH, WIDTH)\n",
                "        hidden = HIDDEN * WIDTH * 2 // 3\n"
                "        self.gate = nn.Linear(WIDTH, hidden)\n"
                "        self.up = nn.Linear(WIDTH, hidden)\n"
                "        self.down = nn.Linear(hidden, WIDTH)\n",
            ),
            swap("activation(self.up(x))", "activation(self.gate(x)) * self.up(x)"),
        ),
    ),
    Idea(
        "RMSNorm instead of LayerNorm",
        "Without mean and shift the norm is cheaper, and nothing is lost.",
        "Zhang and Sennrich 2019, arXiv:1910.07467",
        "normalisation",
        0.02,
        (
            swap(
                'class Norm(nn.LayerNorm):\n    """Zero mean, unit variance, then a learned scale and shift."""\n',
                'class Norm(nn.RMSNorm):\n    """Unit mean square, then a learned scale."""\n',
            ),
        ),
    ),
    Idea(
        "Normalise queries and keys",
        "Bounded attention logits keep heads from saturating early and bear a higher learning rate.",
        "Henry et al. 2020, arXiv:2010.04245; Dehghani et al. 2023, arXiv:2302.05442",
        "attention",
        0.02,
        (
            absent("F.rms_norm(q"),
            before(_ATTEND, "        q, k = F.rms_norm(q, q.shape[-1:]), F.rms_norm(k, k.shape[-1:])\n"),
        ),
    ),
    Idea(
        "No biases in the blocks",
        "Biases cost time and parameters and help little behind a norm.",
        "Chowdhery et al. 2022, PaLM, arXiv:2204.02311",
        "biases",
        0.01,
        (
            absent("WIDTH, bias=False)\n        self.key"),
            rewrite(r"(self\.(?:query|key|value|out|up|down|gate) = nn\.Linear\([^()\n]+)\)$", r"\1, bias=False)"),
        ),
    ),
    Idea(
        "Tie the head to the embedding",
        "One matrix for reading and writing tokens learns from both sides.",
        "Press and Wolf 2016, arXiv:1608.05859",
        "embeddings",
        0.0,
        (
            absent("self.head.weight = self.embedding.weight"),
            after(
                "        self.head = nn.Linear(WIDTH, prepare.VOCABULARY, bias=False)\n",
                "        self.head.weight = self.embedding.weight\n",
            ),
        ),
    ),
    Idea(
        "Soft cap on the logits",
        "A tanh bounds the logits, so that no single token is bet on too early.",
        "Gemma Team 2024, Gemma 2, arXiv:2408.00118",
        "logits",
        0.01,
        (
            absent("torch.tanh"),
            swap(
                "        return self.head(self.norm(x))\n",
                "        return 15.0 * torch.tanh(self.head(self.norm(x)) / 15.0)\n",
            ),
        ),
    ),
    Idea(
        "Normalise the embedding",
        "The first block sees vectors of one length, whatever the token's frequency has made of them.",
        "Le Scao et al. 2022, BLOOM, arXiv:2211.05100",
        "embeddings",
        0.05,
        (
            absent("F.rms_norm(x, x.shape[-1:])"),
            before(
                "        for block in self.blocks:\n            x = block(x)\n",
                "        x = F.rms_norm(x, x.shape[-1:])\n",
            ),
        ),
    ),
    Idea(
        "Hashed bigram embedding",
        "A table for the pair of this and the previous token gives the blocks for free what they would learn first.",
        "Huang et al. 2025, Over-Tokenized Transformer, arXiv:2501.16975; Joulin et al. 2016, arXiv:1607.01759",
        "embeddings",
        0.25,
        (
            absent("self.bigram"),
            after(
                "        self.embedding = nn.Embedding(prepare.VOCABULARY, WIDTH)\n",
                "        self.bigram = nn.Embedding(8192, WIDTH)  # pairs of tokens, hashed\n",
            ),
            after(
                "        x = self.embedding(tokens)\n",
                "        previous = F.pad(tokens, (1, 0))[:, :-1]\n"
                "        x = x + self.bigram((tokens + previous * 4093) % 8192)\n",
            ),
        ),
    ),
    Idea(
        "Short convolution on queries, keys and values",
        "A learned mix of the last three tokens lets one head see n-grams at once.",
        "So et al. 2021, Primer, arXiv:2109.08668; Allen-Zhu 2025, Canon layers",
        "attention",
        0.10,
        (
            absent("self.mix"),
            before(_ATTENTION_START, SHIFT),
            after(
                "        self.query = nn.Linear(WIDTH, WIDTH)\n",
                "        self.mix = nn.Parameter(torch.tensor([1.0, 0.0, 0.0])[:, None].repeat(1, WIDTH))\n",
            ),
            after(
                "        B, T, C = x.shape\n",
                "        x = self.mix[0] * x + self.mix[1] * shifted(x, 1) + self.mix[2] * shifted(x, 2)\n",
            ),
        ),
    ),
    Idea(
        "Token shift before the MLP",
        "Half of each vector comes from the token before: the MLP sees pairs without attention.",
        "Peng et al. 2023, RWKV, arXiv:2305.13048",
        "MLP",
        0.05,
        (
            absent("self.blend"),
            after(
                '    """Every token thinks for itself."""\n\n    def __init__(self):\n        super().__init__()\n',
                "        self.blend = nn.Parameter(torch.zeros(WIDTH))\n",
            ),
            rewrite(
                r"(self\.blend = [^\n]+\n.*?    def forward\(self, x\):\n)",
                r"\1        x = torch.lerp(x, F.pad(x, (0, 0, 1, 0))[:, :-1], self.blend.sigmoid() / 2)\n",
            ),
        ),
    ),
    Idea(
        "Attention and MLP side by side",
        "Both read the same vector: one norm less, and a shallower graph.",
        "Wang and Komatsuzaki 2021, GPT-J; Chowdhery et al. 2022, arXiv:2204.02311",
        "block",
        0.0,
        (
            swap(
                "        x = x + self.attention(self.attention_norm(x))\n"
                "        x = x + self.mlp(self.mlp_norm(x))\n"
                "        return x\n",
                "        return x + self.attention(self.attention_norm(x)) + self.mlp(self.mlp_norm(x))\n",
            ),
        ),
    ),
    Idea(
        "The embedding flows into every block",
        "Each block may take up the token itself again, weighted by a learned number.",
        "Jordan et al. 2024, modded-nanogpt; He et al. 2015, arXiv:1512.03385",
        "residual stream",
        0.02,
        (
            absent("self.again"),
            after(
                "        self.blocks = nn.ModuleList([Block() for _ in range(DEPTH)])\n",
                "        self.again = nn.Parameter(torch.zeros(DEPTH))\n",
            ),
            swap(
                "        for block in self.blocks:\n            x = block(x)\n",
                "        first = x\n"
                "        for block, weight in zip(self.blocks, self.again):\n"
                "            x = block(x + weight * first)\n",
            ),
        ),
    ),
    Idea(
        "One key and value for all heads",
        "Heads share keys and values: fewer parameters, faster steps.",
        "Shazeer 2019, arXiv:1911.02150",
        "attention",
        0.0,
        (
            rewrite(r"self\.key = nn\.Linear\(WIDTH, WIDTH", "self.key = nn.Linear(WIDTH, WIDTH // HEADS"),
            rewrite(r"self\.value = nn\.Linear\(WIDTH, WIDTH", "self.value = nn.Linear(WIDTH, WIDTH // HEADS"),
            swap(
                "        k = self.key(x).view(B, T, HEADS, C // HEADS).transpose(1, 2)\n",
                "        k = self.key(x).view(B, T, 1, C // HEADS).transpose(1, 2).expand(B, HEADS, T, C // HEADS)\n",
            ),
            swap(
                "        v = self.value(x).view(B, T, HEADS, C // HEADS).transpose(1, 2)\n",
                "        v = self.value(x).view(B, T, 1, C // HEADS).transpose(1, 2).expand(B, HEADS, T, C // HEADS)\n",
            ),
        ),
    ),
    Idea(
        "A learned gate on each head's output",
        "A head that has found nothing can be silent, instead of adding a mean of values.",
        "Qiu et al. 2025, Gated Attention, arXiv:2505.06708",
        "attention",
        0.02,
        (
            absent("self.open"),
            rewrite(r"^(        self\.out = nn\.Linear\([^\n]+\n)", r"\1        self.open = nn.Linear(WIDTH, HEADS)\n"),
            before(
                "        return self.out(y.transpose(1, 2)",
                "        y = y * self.open(x).sigmoid().transpose(1, 2)[..., None] * 2\n",
            ),
        ),
    ),
)

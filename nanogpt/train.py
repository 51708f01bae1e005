"""Trains a small GPT within a fixed budget. This is the file that experiments change.

It is deliberately plain: a GPT-2 as of 2019 (LayerNorm, learned positions, GELU) under AdamW at a constant rate. What
scores is not printed here: a separate process loads the saved weights and computes the validation bits per byte.
The contract: `build_model()` makes the model, `model(tokens)` gives logits, `prepare.save(model)` keeps the weights.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

import prepare

# Shape. prepare.pick chooses by profile: `cpu` for one core and seconds, `gpu` for one GPU and minutes.
DEPTH = prepare.pick(cpu=2, gpu=8)  # blocks
WIDTH = prepare.pick(cpu=64, gpu=512)  # features of a token
HEADS = prepare.pick(cpu=4, gpu=4)  # attention heads a block
SEQUENCE = prepare.pick(cpu=128, gpu=2048)  # tokens a sample
HIDDEN = 4  # features inside the MLP, in widths

# Optimisation.
BATCH = prepare.pick(cpu=16, gpu=32)  # samples a micro-batch
ACCUMULATION = prepare.pick(cpu=1, gpu=4)  # micro-batches a step
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.1
BETA1 = 0.9
BETA2 = 0.95
INIT_STD = 0.02


# Model


class Norm(nn.LayerNorm):
    """Zero mean, unit variance, then a learned scale and shift."""


def activation(x):
    return F.gelu(x)


class Attention(nn.Module):
    """Every token looks at itself and at the tokens before it."""

    def __init__(self):
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        B, T, C = x.shape
        q = self.query(x).view(B, T, HEADS, C // HEADS).transpose(1, 2)
        k = self.key(x).view(B, T, HEADS, C // HEADS).transpose(1, 2)
        v = self.value(x).view(B, T, HEADS, C // HEADS).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(B, T, C))


class MLP(nn.Module):
    """Every token thinks for itself."""

    def __init__(self):
        super().__init__()
        self.up = nn.Linear(WIDTH, HIDDEN * WIDTH)
        self.down = nn.Linear(HIDDEN * WIDTH, WIDTH)

    def forward(self, x):
        return self.down(activation(self.up(x)))


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention_norm = Norm(WIDTH)
        self.attention = Attention()
        self.mlp_norm = Norm(WIDTH)
        self.mlp = MLP()

    def forward(self, x):
        x = x + self.attention(self.attention_norm(x))
        x = x + self.mlp(self.mlp_norm(x))
        return x


class GPT(nn.Module):
    """tokens[B, T] int64 -> logits[B, T, V]."""

    def __init__(self):
        super().__init__()
        self.sequence = SEQUENCE  # the scorer gives the model no more tokens than this at once
        self.embedding = nn.Embedding(prepare.VOCABULARY, WIDTH)
        self.position = nn.Embedding(SEQUENCE, WIDTH)
        self.blocks = nn.ModuleList([Block() for _ in range(DEPTH)])
        self.norm = Norm(WIDTH)
        self.head = nn.Linear(WIDTH, prepare.VOCABULARY, bias=False)
        self.apply(self.init_weights)

    def init_weights(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, mean=0.0, std=INIT_STD)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, tokens):
        x = self.embedding(tokens)
        x = x + self.position(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def build_model():
    return GPT()


# Optimiser


def make_optimizers(model):
    """The optimisers, each stepped once a training step."""
    return [torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(BETA1, BETA2), weight_decay=WEIGHT_DECAY)]


def rate_at(progress):
    """The learning rate as a share of its peak, at a share 0..1 of the budget."""
    return 1.0


def loss_of(model, tokens, targets):
    logits = model(tokens)
    return F.cross_entropy(logits.float().view(-1, logits.shape[-1]), targets.view(-1))


# Training


def train():
    prepare.set_seed()
    device = prepare.device()
    model = build_model().to(device)
    optimizers = make_optimizers(model)
    peaks = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    forward = prepare.compiled(model)
    batches = prepare.batches(BATCH, SEQUENCE, device)
    prepare.warm_up(lambda: loss_of(forward, *next(batches)).backward(), model)

    budget = prepare.Budget()
    step = 0
    while not budget.expired:
        for optimizer, rates in zip(optimizers, peaks):
            for group, rate in zip(optimizer.param_groups, rates):
                group["lr"] = rate * rate_at(budget.progress)
        for _ in range(ACCUMULATION):
            with prepare.precision():
                loss = loss_of(forward, *next(batches)) / ACCUMULATION
            loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        model.zero_grad(set_to_none=True)
        step += 1
        prepare.log(
            step,
            loss=loss * ACCUMULATION,
            tokens=step * ACCUMULATION * BATCH * SEQUENCE,
            lr=optimizers[0].param_groups[0]["lr"],  # early stopping compares runs at equal phases of it
        )
    return model


if __name__ == "__main__":
    prepare.save(train())

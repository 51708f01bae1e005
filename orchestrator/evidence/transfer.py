"""Whether a gain on the validation split is one on the vault split too: the same weights, scored on both.

Each run gives a pair of scores. How far its two scores lie apart hardly depends on the seed, so the shortfall of the
vault's gain against validation's is known far better than either gain. Two one-sided t tests (Student, Biometrika 6,
1908) at LEVEL must agree before a gain is called missing: what the vault gained is nothing beyond noise, and it is less
than validation gained by more than the pairs scatter. So a gain that is alike on both splits is called missing in
LEVEL of the cases at most, however close to noise it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

from orchestrator.evidence.noise import Noise, noise_of

GAIN_MISSING = "the gain is not there on the vault"
"""How the sentence begins when it is missing."""

LEVEL = 0.05
AT = NormalDist().inv_cdf(1 - LEVEL)
"""The normal deviate that each test asks for."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Bits per byte of one run's weights on both splits."""

    validation: float
    vault: float


@dataclass(frozen=True, slots=True)
class Transfer:
    """Gains in bits per byte, positive is better; deviates are normal deviates of t statistics."""

    validation: float
    vault: float
    runs: int  # of the winner
    against: int  # of its baseline
    vault_deviate: float
    improved: bool  # on validation, beyond noise
    missing: bool  # it improved on validation, and the vault has nothing of it

    @property
    def figures(self) -> str:
        return (
            f"{self.validation:+.4f} bits per byte gained on validation, {self.vault:+.4f} on the vault"
            f" ({self.vault_deviate:+.2f} standard errors) by the {self.runs} run{'s' * (self.runs != 1)} of then"
            f" against {self.against}"
        )

    @property
    def sentence(self) -> str:
        facts = self.figures
        if self.missing:
            return f"{GAIN_MISSING}: {facts}"
        if not self.improved:
            return f"not beyond noise on validation, so the vault cannot tell: {facts}"
        return f"the vault agrees: {facts}"


def transfer(winner: Sequence[Pair], baseline: Sequence[Pair], groups: Sequence[Sequence[Pair]]) -> Transfer | None:
    """Compare the runs of a winner with those of its baseline; `groups` are all pairs by commit, for the noise.

    None when one of them has no pair, or no commit has two, so that nothing is known of noise.
    """
    noises = [noise_of([[value(pair) for pair in group] for group in groups]) for value in (_first, _second, _apart)]
    validation, vault, apart = noises
    if not winner or not baseline or validation is None or vault is None or apart is None:
        return None
    root = math.sqrt(1 / len(winner) + 1 / len(baseline))
    gains = [fmean(map(value, baseline)) - fmean(map(value, winner)) for value in (_first, _second, _apart)]
    vault_deviate = _deviate(vault, gains[1], root)
    improved = gains[0] > 0 and _deviate(validation, gains[0], root) >= AT
    short = _deviate(apart, -gains[2], root) >= AT
    return Transfer(
        validation=gains[0],
        vault=gains[1],
        runs=len(winner),
        against=len(baseline),
        vault_deviate=vault_deviate,
        improved=improved,
        missing=improved and vault_deviate < AT and short,
    )


def _deviate(noise: Noise, gain: float, root: float) -> float:
    return noise.deviate(gain, noise.deviation * root)


def _first(pair: Pair) -> float:
    return pair.validation


def _second(pair: Pair) -> float:
    return pair.vault


def _apart(pair: Pair) -> float:
    return pair.vault - pair.validation

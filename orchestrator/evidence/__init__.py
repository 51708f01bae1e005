"""From scores to decisions: pure functions, in bits per byte, lower is better. docs/promotion.md argues them.

`Noise` is how much one run scatters; `decide` says after every run whether an experiment is promoted, dropped or run
once more; `belief` says how much of a measured gain to believe; `transfer` whether the vault split shows
the gain too.
"""

from orchestrator.evidence.belief import Belief, Measured, Prior, believed, expected_false, prior_of
from orchestrator.evidence.equivalence import equivalent
from orchestrator.evidence.noise import Noise, noise_of
from orchestrator.evidence.rules import BASELINE_SEEDS, Action, Decision, Rule, decide, seeds
from orchestrator.evidence.transfer import GAIN_MISSING, Pair, Transfer, transfer

__all__ = [
    "BASELINE_SEEDS",
    "GAIN_MISSING",
    "Action",
    "Belief",
    "Decision",
    "Measured",
    "Noise",
    "Pair",
    "Prior",
    "Rule",
    "Transfer",
    "believed",
    "decide",
    "equivalent",
    "expected_false",
    "noise_of",
    "prior_of",
    "seeds",
    "transfer",
]

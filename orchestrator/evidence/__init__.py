"""From scores to decisions: pure functions, in bits per byte, lower is better. docs/promotion.md argues them.

`Noise` is how much one run scatters; `decide` says after every run whether an experiment is promoted, dropped or run
once more; `belief` says how much of a measured gain to believe.
"""

from orchestrator.evidence.belief import Belief, Measured, Prior, believed, expected_false, prior_of
from orchestrator.evidence.noise import Noise, noise_of
from orchestrator.evidence.rules import BASELINE_SEEDS, Action, Decision, Rule, decide, seeds

__all__ = [
    "BASELINE_SEEDS",
    "Action",
    "Belief",
    "Decision",
    "Measured",
    "Noise",
    "Prior",
    "Rule",
    "believed",
    "decide",
    "expected_false",
    "noise_of",
    "prior_of",
    "seeds",
]

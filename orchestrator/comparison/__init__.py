"""What each team was worth: promotions, believed gain, gain for its slot time and money, how reliably its jobs end."""

from orchestrator.comparison.comparing import Comparison, TeamFigures, comparison_json, comparison_of
from orchestrator.comparison.completion import Completion
from orchestrator.comparison.intervals import CONFIDENCE, Estimate

__all__ = [
    "CONFIDENCE",
    "Comparison",
    "Completion",
    "Estimate",
    "TeamFigures",
    "comparison_json",
    "comparison_of",
]

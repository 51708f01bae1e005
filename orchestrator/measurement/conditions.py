"""The settings that a score depends on, as a short hash: what was measured under others does not compare."""

from __future__ import annotations

import hashlib
import json

from orchestrator.settings import Settings
from orchestrator.targets.target import ScriptTarget

DIGITS = 8


def conditions_of(settings: Settings) -> str:
    """The hash of what these settings measure: how long, and for a script by which command and metric as well."""
    target = settings.optimised()
    measured: dict[str, object] = {"profile": settings.lab.profile, "budget_seconds": settings.run.budget_seconds}
    if isinstance(target, ScriptTarget):
        measured |= {
            "command": target.command,
            "metric": target.metric.pattern,
            "direction": target.direction,
            "timeout_seconds": target.timeout_seconds,
            "readable": target.readable,
            "environment": dict(target.environment),
        }
    return hashlib.sha256(json.dumps(measured, sort_keys=True).encode()).hexdigest()[:DIGITS]

"""What a patch must satisfy before it may cost a second on a slot: rules that need no judgement.

The sandbox is the wall; the guard is the early and cheap word to whoever wrote the patch. In doubt it lets pass.
"""

from orchestrator.guard.program import program_hash
from orchestrator.guard.rules import refusals
from orchestrator.guard.units import beyond_variable, changed_units, constants_alone, touches_model

__all__ = ["beyond_variable", "changed_units", "constants_alone", "program_hash", "refusals", "touches_model"]

"""What a run's start-up may compute on a CPU slot before that counts as training: a little more than the baseline's.

The train split is not there before the budget, but other text is (the sources of installed packages, numbers out of
nothing), and on the profile `cpu` it resembles what is scored. A second of CPU time spent on it costs a second of the
budget. On a GPU start-up compiles, which takes as long as the budget: there only `startup_seconds` bounds it.
"""

from __future__ import annotations

from orchestrator.context import Context
from orchestrator.runs.provenance import STARTUP_CPU
from orchestrator.runs.untrusted import real
from orchestrator.store.records import RunKind

TOLERANCE = 1.5
"""The same start-up costs more CPU time on a busy machine: importing torch took 2 s on a calm one, nearly 4 at a load
of 20 on two cores. A run that is charged for its neighbours would have a score that depends on them."""

ALLOWANCE_SECONDS = 1.0


async def free_startup(context: Context, device: str) -> float | None:
    """CPU seconds; None before a baseline was measured on that kind of device, or where nobody counts them.

    The least of all baselines' start-ups, so that a row of promotions cannot raise it step by step.
    """
    rows = await context.store.rows(
        "SELECT json_extract(provenance, ?) AS seconds FROM runs WHERE kind = ? AND device = ? AND val_bpb IS NOT NULL",
        (f"$.{STARTUP_CPU}", RunKind.BASELINE, device),
    )
    found = [seconds for row in rows if row["seconds"] is not None and (seconds := real(float(row["seconds"])))]
    return TOLERANCE * min(found) + ALLOWANCE_SECONDS if found else None

"""`python -m orchestrator.trackio_log`: writes ended runs into a local Trackio project and says which it has written.

Reads one JSON object from standard input: {"project", "directory", "runs": [{"run_id", "name", "metrics", "config",
"final"}]}. It is a process of its own because Trackio prints, keeps a sender thread and, without HF_HUB_OFFLINE,
would ask the network; none of that belongs into the daemon.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

MOST_POINTS = 1000


def curve(path: Path) -> list[dict[str, float]]:
    """The numbers that a run logged, thinned to at most MOST_POINTS; damaged lines are left out."""
    points: list[dict[str, float]] = []
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                with contextlib.suppress(ValueError):
                    values = json.loads(line)
                    if isinstance(values, dict) and "step" in values:
                        points.append({k: float(v) for k, v in values.items() if isinstance(v, int | float)})
    except OSError:
        return []
    stride = max(1, -(-len(points) // MOST_POINTS))
    return points[::stride] + (points[-1:] if points and (len(points) - 1) % stride else [])


def write_run(trackio: Any, project: str, run: dict[str, Any]) -> None:
    """One run: its curve, then its final facts."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        tracked = trackio.init(project=project, name=run["name"], config=run["config"])
        for point in curve(Path(run["metrics"])):
            step = int(point.pop("step"))
            tracked.log(point, step=step)
        final = {key: value for key, value in run["final"].items() if value is not None}
        tracked.log(final)
        trackio.finish()


def main() -> int:
    order = json.load(sys.stdin)
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TRACKIO_DIR"] = order["directory"]
    Path(order["directory"]).mkdir(parents=True, exist_ok=True)
    with contextlib.redirect_stdout(io.StringIO()):
        import trackio
    for run in order["runs"]:
        write_run(trackio, order["project"], run)
        print(run["run_id"], flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The best score over the experiments as a PNG: every score a dot, master a line, every promotion labelled."""

from __future__ import annotations

from pathlib import Path
from textwrap import shorten

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from orchestrator.report.facts import Facts
from orchestrator.runs.untrusted import is_score

LONGEST_LABEL = 40


def draw(facts: Facts, path: Path) -> None:
    """Write the picture. Raises OSError. Needs a lab with at least one score."""
    scored = [one for one in facts.scored if is_score(one.val_bpb or 0.0)]
    places = {one.id: place for place, one in enumerate(scored)}
    wins = [one for one in facts.promotions if one.val_bpb is not None and one.id in places]
    wins.sort(key=lambda one: places[one.id])
    others = [one for one in scored if one.id not in {win.id for win in wins}]
    figure = Figure(figsize=(10, 5.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.scatter(
        [places[one.id] for one in others],
        [one.val_bpb or 0.0 for one in others],
        s=14,
        color="0.65",
        label="not merged",
    )
    steps = [places[one.id] for one in wins] + [len(scored) - 1]
    heights = [one.val_bpb or 0.0 for one in wins]
    axes.step(steps, [*heights, heights[-1]] if heights else [], where="post", color="tab:green", label="master")
    axes.scatter([places[one.id] for one in wins], heights, s=26, color="tab:green", zorder=3)
    for one in wins:
        axes.annotate(
            shorten(f"{one.id} {one.title}", LONGEST_LABEL, placeholder=" …").replace("$", r"\$"),
            (places[one.id], one.val_bpb or 0.0),
            xytext=(4, 5),
            textcoords="offset points",
            rotation=30,
            fontsize=7,
        )
    score = f"score ({facts.mark}), lower is better" if facts.mark else "validation bits per byte, lower is better"
    axes.set(
        title=facts.name.replace("$", r"\$"),
        xlabel="experiments with a score, in the order of their outcomes",
        ylabel=score,
    )
    keep_in_view(axes, [one.val_bpb for one in scored if one.val_bpb is not None], heights)
    axes.margins(x=0.04)
    axes.grid(alpha=0.25)
    axes.legend(loc="upper right", fontsize=8)
    figure.savefig(path, format="png")


def keep_in_view(axes: object, scores: list[float], heights: list[float]) -> None:
    """A run that went astray must not press the rest into a line; nothing stands on the edge."""
    if not heights or not scores:
        return
    low, high = min(scores + heights), max(scores + heights)
    reach = max(heights) - min(heights) or (high - low) or 1.0
    lower = max(low, min(heights) - 0.5 * reach) - 0.06 * reach
    axes.set_ylim(lower, min(high, max(heights) + reach) + 0.12 * reach)  # type: ignore[attr-defined]

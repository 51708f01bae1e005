"""The best score over time as points, lines and labels: raw, and what of it is believed. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tui.chart import Label, Point
from tui.present import plain

FINE = 300  # dots of the believed line
LENGTHS = (44, 30, 18)
"""Of a title beside its promotion: the longest for which there is room is written."""


def merged_of(points: Sequence[tuple[int, float]], promoted: Iterable[int]) -> list[tuple[int, float]]:
    """The points (number, bits per byte) whose number is among the promoted; points are numbered from 0."""
    return [points[number] for number in sorted(promoted)]


def best_so_far(points: Sequence[tuple[int, float]], promoted: Iterable[int]) -> list[tuple[int, float]]:
    """The score of master after each outcome, as (number, bits per byte): the corners of a step line."""
    line = merged_of(points, promoted)
    if line and points[-1][0] > line[-1][0]:
        line.append((points[-1][0], line[-1][1]))
    return line


def believed_line(
    points: Sequence[tuple[int, float]], promoted: Mapping[int, tuple[int, str]], gains: Mapping[int, float]
) -> list[Point]:
    """What master is believed to score: the start's score less the believed gain of each promotion, as dots.

    Empty while nothing was promoted whose gain could be judged.
    """
    merged = merged_of(points, promoted)
    if not merged or not any(promoted[number][0] in gains for number, _ in merged):
        return []
    level, corners = merged[0][1], []
    for number, _ in merged:
        level -= gains.get(promoted[number][0], 0.0)
        corners.append((number, level))
    first, last = corners[0][0], points[-1][0]
    dots: list[Point] = []
    place = 0
    for step in range(FINE + 1):
        x = first + (last - first) * step / FINE
        while place + 1 < len(corners) and corners[place + 1][0] <= x:
            place += 1
        dots.append((x, corners[place][1]))
    return dots


def promotion_labels(merged: Sequence[tuple[int, float]], promoted: Mapping[int, tuple[int, str]]) -> tuple[Label, ...]:
    """Each promotion by its number and its title, whole or its beginning, the newest first; the start needs none."""
    labels = []
    for number, value in reversed(merged):
        experiment, title = promoted[number]
        if experiment:
            words = plain(title)
            cut = [words if len(words) <= most else f"{words[: most - 1].rstrip()}…" for most in LENGTHS]
            labels.append(
                Label((number, value), (*dict.fromkeys(f"{experiment} {text}" for text in cut), str(experiment)))
            )
    return tuple(labels)

"""Bounds of the numbers that agents and people name: those of experiments, and priorities."""

from __future__ import annotations

LARGEST_ID = 10**9
"""Larger numbers are no experiment's, and the database cannot hold all of them."""

LEAST_PRIORITY, HIGHEST_PRIORITY = -1000, 1000

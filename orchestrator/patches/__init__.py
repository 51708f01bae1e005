"""Patches: checked, committed, brought up to master, taken out again, repaired and tried anew."""

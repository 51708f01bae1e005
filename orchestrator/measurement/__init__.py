"""Measurement: which run is next, what it is given, and what its score decides."""

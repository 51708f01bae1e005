"""The built-in model: offline, rule-based, no language model. It plays all five roles through the very same tools."""

NAME = "offline, rule-based, no language model"

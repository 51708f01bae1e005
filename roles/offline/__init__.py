"""The built-in model: offline, rule-based, no language model. It plays all five roles through the very same tools."""

from roles.offline.model import OfflineModel

__all__ = ["OfflineModel"]

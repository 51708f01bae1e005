"""What every tool's parameters have in common: a schema that models see, and forgiveness for what is clearly meant.

A class's docstring is the tool's description, as the models read it; its `example` is shown to one that got it wrong.
"""

from __future__ import annotations

import json
from typing import Any, ClassVar, get_origin

from pydantic import BaseModel, ConfigDict, model_validator


class Parameters(BaseModel):
    """Base of every tool's parameters."""

    model_config = ConfigDict(extra="forbid")

    example: ClassVar[dict[str, Any]] = {}
    finishing: ClassVar[bool] = False
    """Whether a call that is accepted ends the job."""
    looks: ClassVar[bool] = False
    """Whether the call only looks: whatever its answer, the job stands where it stood."""
    whole: ClassVar[bool] = False
    """Whether the answer is JSON, which must not be cut; the caller chooses its size."""
    own_words: ClassVar[bool] = False
    """Whether the call states something of this lab, so that the example's sentences must not be copied into it."""

    @model_validator(mode="before")
    @classmethod
    def _forgive(cls, given: Any) -> Any:
        """Take what is clearly meant: null for "not given", and a list written as a JSON string."""
        if not isinstance(given, dict):
            return given
        fields = cls.model_fields
        kept = {
            name: value
            for name, value in given.items()
            if value is not None or name not in fields or fields[name].is_required()
        }
        for name, value in kept.items():
            if name in fields and get_origin(fields[name].annotation) is list and isinstance(value, str):
                try:
                    kept[name] = json.loads(value)
                except ValueError:
                    continue
        return kept

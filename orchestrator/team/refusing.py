"""What the lab cannot do for an agent is an answer to its call, not the end of its job."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from orchestrator.errors import LabError
from roles.errors import ToolRefusal
from roles.tools import Answer, Tool


def refusing(tool: Tool) -> Tool:
    """The tool, whose LabError is a refusal that the model can read and go on from."""

    async def answer(arguments: dict[str, Any]) -> Answer:
        try:
            return await tool.handler(arguments)
        except LabError as error:
            raise ToolRefusal(str(error)) from error

    return replace(tool, handler=answer)

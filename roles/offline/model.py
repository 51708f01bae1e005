"""The offline model as a chat model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from roles.chat import Message, Reply, ToolSpec
from roles.offline import NAME
from roles.offline.turns import next_turn


class OfflineModel:
    """Answers every role by rules. It needs no server, no key and no network, and it uses no tokens."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    @property
    def name(self) -> str:
        return NAME

    async def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        on_text: Callable[[str], None],
        must_call: Sequence[ToolSpec] = (),
    ) -> Reply:
        # In a thread: TPE computes, and the event loop must not wait for it.
        turn = await asyncio.to_thread(next_turn, messages, {tool.name for tool in tools}, self._seed)
        on_text(turn.words + "\n")
        return Reply(turn.words, turn.calls, 0, 0, "tool_calls")

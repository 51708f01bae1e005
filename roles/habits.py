"""How a model calls tools, learnt in one job and kept for the next ones, which need not find it out anew."""

from __future__ import annotations

from weakref import WeakSet

from roles.chat import ChatModel
from roles.tally import Player

_IN_TEXT: WeakSet[ChatModel] = WeakSet()


def calls_in_text(model: ChatModel) -> bool:
    """Whether the model has been seen to call tools, and only ever as text."""
    return model in _IN_TEXT


def learn(player: Player) -> None:
    """Keep what a model's share of a job has shown; one native call is enough to try the native way first again."""
    if player.called:
        _IN_TEXT.discard(player.model)
    elif player.called_in_text:
        _IN_TEXT.add(player.model)

"""Taking a model's thinking, and tokens of its chat template that leaked, out of what it says."""

from __future__ import annotations

import re

_BLOCK = re.compile(r"<(think|thinking|thought|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_OPEN = re.compile(r"<(?:think|thinking|thought|reasoning)>.*\Z", re.DOTALL | re.IGNORECASE)
_CLOSE = re.compile(r"\A.*</(?:think|thinking|thought|reasoning)>", re.DOTALL | re.IGNORECASE)
_TEMPLATE = re.compile(r"<\|(?:im_start|im_end|eot_id|eom_id|end|endoftext|end_of_text|assistant)\|>|</?s>")


def spoken(text: str) -> str:
    """The text without thinking: whole blocks, a block that never ends, and an end whose beginning the template wrote.

    A draft of a call inside a thought is no call, so this comes before anything else looks at the text.
    """
    text = _BLOCK.sub("", text)
    text = _OPEN.sub("", text)
    text = _CLOSE.sub("", text)
    return _TEMPLATE.sub("", text)

"""Reading the JSON object that a model meant, where its mistake leaves only one reading.

Mended: code fences and leaked end-of-turn tokens around the object, raw line breaks in strings, escapes that JSON does
not have, commas before a closing bracket, Python's spelling of literals and quotes, closing brackets that are missing
at the end, an object written as a string. Not mended: a string without its end, since nobody knows what else it held.
"""

from __future__ import annotations

import ast
import json
import re
from typing import Any

_LEAKED = r"(?:<\|[a-z_]{2,30}\|>|</s>|</?tool_call>|\s)+"
_AROUND = re.compile(rf"\A{_LEAKED}|{_LEAKED}\Z")
_FENCE = re.compile(r"^```[a-z_]*\s*\n?(.*?)\n?```$", re.DOTALL)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\s\S]', re.DOTALL)
_ESCAPES = '"\\/bfnrtu'
_CLOSING = {"{": "}", "[": "]"}


def object_of(text: str, whole: bool = True) -> tuple[dict[str, Any], bool]:
    """The object in `text`, and whether it had to be mended; no text at all is an object without members.

    `whole` says that the text was not cut at a length limit: only then are missing brackets put in. Raises ValueError
    with the reason, in the words of the JSON parser where it has any.
    """
    if not text.strip():
        return {}, False
    try:
        found, mended = json.loads(text, strict=False), False  # raw line breaks inside strings are meant as such
    except ValueError as error:
        found, mended = _mended(text, whole), True
        if found is None:
            raise ValueError(f"not valid JSON ({error})") from None
    except RecursionError:
        raise ValueError("not valid JSON (nested without end)") from None
    if isinstance(found, str) and found.strip() and found != text:  # an object that was written as a string
        return object_of(found, whole)[0], True
    if isinstance(found, list) and len(found) == 1:
        found, mended = found[0], True
    if not isinstance(found, dict):
        raise ValueError("valid JSON but no object")
    return found, mended


def _mended(text: str, whole: bool) -> Any:
    """The value after every mending that leaves one reading, None when that is not enough."""
    bare = _AROUND.sub("", text)
    if fenced := _FENCE.match(bare):
        bare = fenced.group(1).strip()
    for candidate in (bare, _without_commas(_escaped(bare))):
        for tried in (candidate, _closed(candidate) if whole else candidate, _unclosed(candidate)):
            if (found := _loads(tried)) is not None:
                return found
    return _python(bare)


def _loads(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _escaped(text: str) -> str:
    """The text with escapes that JSON does not have read as they stand, as in a pattern's backslash-d."""

    def one(found: re.Match[str]) -> str:
        after = found.group(1)
        if after == "'":
            return "'"
        return found.group(0) if after in _ESCAPES else f"\\\\{after}"

    return re.sub(r"\\(.)", one, text, flags=re.DOTALL)


def _without_commas(text: str) -> str:
    """The text without commas before a closing bracket, outside strings."""
    kept: list[str] = []
    for found in _TOKEN.finditer(text):
        if found.group() in "}]":
            while kept and (kept[-1].isspace() or kept[-1] == ","):
                kept.pop()
        kept.append(found.group())
    return "".join(kept)


def _closed(text: str) -> str:
    """The text with the closing brackets that are missing at its end; unchanged when it ends inside a string."""
    stack: list[str] = []
    for found in _TOKEN.finditer(text):
        match found.group():
            case "{" | "[" as opening:
                stack.append(_CLOSING[opening])
            case "}" | "]" as closing if stack and stack[-1] == closing:
                stack.pop()
            case '"':  # a quote that opens no whole string
                return text
    return text.rstrip().rstrip(",") + "".join(reversed(stack))


def _unclosed(text: str) -> str:
    """The text without closing brackets that nothing opened, after a whole value."""
    try:
        _, end = json.JSONDecoder(strict=False).raw_decode(text)
    except (ValueError, RecursionError):
        return text
    return text[:end] if not text[end:].strip("}] \n\t;`") else text


def _python(text: str) -> Any:
    """The value, if the text is a literal of Python: single quotes, True, None."""
    try:
        found = ast.literal_eval(text)
        json.dumps(found)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return None
    return found if isinstance(found, dict) else None

"""The room on a terminal that knows only ASCII: every sign becomes one of the same width."""

from __future__ import annotations

from rich.cells import get_character_cell_size

_SIGNS = {
    **dict.fromkeys("─═", "-"),
    **dict.fromkeys("│┃║▐▎┤├", "|"),
    **dict.fromkeys("╭╮╰╯┌┐└┘┼┬┴", "+"),
    **dict.fromkeys("▁▂▃▄▅▆▇█▔▀▊▋▍▉▏▕▗▖▝▘", "#"),
    "━": "=",
    "▌": ">",
    "►": ">",
    "▸": ">",
    "▾": "v",
    "◆": "@",
    "◇": "0",
    "∆": "^",
    "●": "*",
    "○": "o",
    "✓": "v",
    "·": ".",
    "‖": "|",
    "»": ">",
    "≈": "~",
    "↵": "|",
    "×": "x",  # noqa: RUF001
    "±": "~",
    "…": ">",
    "°": "'",
    "↑": "^",
    "↓": "v",
    "→": ">",
    "←": "<",
    "′": "'",  # noqa: RUF001
    "–": "-",  # noqa: RUF001
}
_BRAILLE = ((0, " "), (1, "."), (3, ":"), (9, "#"))  # from so many dots on


class _Table(dict[int, str]):
    """For str.translate: filled as characters are met."""

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        if code < 128:
            shown = sign
        elif sign in _SIGNS:
            shown = _SIGNS[sign]
        elif 0x2800 <= code < 0x2900:
            dots = (code - 0x2800).bit_count()
            shown = [sign for least, sign in _BRAILLE if dots >= least][-1]
        else:
            shown = "?" * get_character_cell_size(sign)
        self[code] = shown
        return shown


_TABLE = _Table()


def ascii_only(text: str) -> str:
    """The text in ASCII, as wide on the screen as it was; control sequences are ASCII already."""
    return text if text.isascii() else text.translate(_TABLE)

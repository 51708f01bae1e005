"""A unified diff as people read it: added and removed by sign and ground, Python's words by their kind."""

from __future__ import annotations

from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]
from pygments.token import Comment, Keyword, Name, Number, String, _TokenType  # type: ignore[import-untyped]
from rich.style import Style
from rich.text import Text

from orchestrator.runs.log_text import inert

MOST_LINES = 4000

_LEXER = PythonLexer(ensurenl=False, stripnl=False)
_KINDS: tuple[tuple[_TokenType, str], ...] = (
    (Comment, "dim"),
    (String, "good"),
    (Number, "warn"),
    (Keyword, "live"),
    (Name.Function, "strong"),
    (Name.Class, "strong"),
    (Name.Builtin, "live"),
)


def coloured_diff(diff: str, colours: dict[str, str]) -> Text:
    """`colours` are a theme's variables: added, removed, dim, live, strong, good, warn."""
    text = Text(no_wrap=False)
    lines = inert(diff).splitlines()
    for line in lines[:MOST_LINES]:
        text.append_text(_line(line, colours))
        text.append("\n")
    if len(lines) > MOST_LINES:
        text.append(f"… {len(lines) - MOST_LINES:,} more lines", Style(color=colours["dim"]))
    return text


def _line(line: str, colours: dict[str, str]) -> Text:
    if line.startswith(("diff ", "index ", "--- ", "+++ ", "new file", "deleted file")):
        return Text(line, Style(color=colours["dim"], bold=line.startswith("+++ ")))
    if line.startswith("@@"):
        return Text(line, Style(color=colours["live"]))
    code = Text(line[:1])
    code.append_text(coloured_code(line[1:], colours))
    match line[:1]:
        case "+":
            code.stylize(Style(bgcolor=colours["added"]))
            code.stylize(Style(color=colours["good"], bold=True), 0, 1)
        case "-":
            code.stylize(Style(bgcolor=colours["removed"]))
            code.stylize(Style(color=colours["bad"], bold=True), 0, 1)
        case _:
            pass
    return code


def coloured_code(line: str, colours: dict[str, str]) -> Text:
    """One line of Python, its words coloured by their kind."""
    text = Text()
    for kind, word in _LEXER.get_tokens(line):
        name = next((name for token, name in _KINDS if kind in token), None)
        text.append(word, Style(color=colours[name]) if name else None)
    return text

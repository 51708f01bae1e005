"""How the command line prints: tables, a line a row on a terminal, and facts by name; a pipe gets all of it."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Collection, Iterable, Sequence

from rich.console import Console
from rich.text import Text

from orchestrator.cli.saying import say, say_row
from orchestrator.columns import GAP, Column, fitted
from orchestrator.runs.log_text import in_one_line, in_paragraphs

LEAST_NAME = 8  # so that the column does not move with what there is to tell
LEAST_WIDTH = 20
"""Of a fact, however narrow the terminal is."""


def print_table(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> None:
    """What does not fit on the terminal is cut with `…`, columns of a higher rank leave first; a pipe gets all, and
    the headings like `ps` and others print them."""
    cells = [[in_one_line(str(cell)) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in [[column.heading for column in columns], *cells]:
            say_row(*row)
        return
    console = Console(highlight=False, soft_wrap=True)
    needed = [_needed(column, [row[i] for row in cells]) for i, column in enumerate(columns)]
    silent = frozenset(i for i in range(len(columns)) if not any(row[i] not in ("", "-") for row in cells))
    shown = fitted(needed, console.width, silent)
    console.print(_line([(column.heading, width, column.right) for column, width in _of(columns, shown)]), style="bold")
    for row in cells:
        console.print(_line([(row[i], width, columns[i].right) for i, width in shown]))


def print_facts(facts: Sequence[tuple[str, str]], indent: int = 0, whole: Collection[str] = ()) -> None:
    """Names in a column of their own; on a terminal what is longer than a line goes on below itself. Facts named
    in `whole` keep their lines."""
    column = indent + max([LEAST_NAME, *(len(name) for name, _ in facts)]) + 1
    width = max(column + LEAST_WIDTH, Console().width)
    wrap = textwrap.TextWrapper(width, subsequent_indent=" " * column, break_on_hyphens=False, break_long_words=False)
    for name, said in facts:
        lines = in_paragraphs(said).split("\n") if name in whole else [in_one_line(said)]
        for number, line in enumerate(lines):
            fact = ("" if number else f"{' ' * indent}{name}").ljust(column) + line
            say(wrap.fill(fact) if sys.stdout.isatty() else fact.rstrip())


def print_rows(rows: Sequence[Sequence[object]]) -> None:
    """Rows of any length, the first cell of each being its name: as facts on a terminal, with tabs in a pipe."""
    if sys.stdout.isatty():
        print_facts([(str(name), "  ".join(str(cell) for cell in cells)) for name, *cells in rows])
        return
    for row in rows:
        say_row(*row)


def _of(columns: Sequence[Column], shown: Sequence[tuple[int, int]]) -> list[tuple[Column, int]]:
    return [(columns[i], width) for i, width in shown]


def _needed(column: Column, texts: Sequence[str]) -> Column:
    """The column as wide as what stands in it; one that shares what is left over starts with its own least width."""
    longest = max(Text(text).cell_len for text in (column.heading, *texts))
    width = min(column.width, longest) if column.share else longest
    return Column(column.heading, width, column.share, longest, column.rank, column.right, column.above)


def _line(cells: Sequence[tuple[str, int, bool]]) -> Text:
    line = Text()
    for number, (said, width, right) in enumerate(cells):
        text = Text(said, no_wrap=True)
        text.truncate(width, overflow="ellipsis")
        spare = " " * (width - text.cell_len)
        line.append(" " * GAP * bool(number))
        line.append_text(Text(spare) + text if right else text + Text(spare))
    line.rstrip()
    return line

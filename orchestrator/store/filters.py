"""What a person wants to see of a table, in one line: `state=discarded team=a delta<0 muon ~rtry sort=-delta`.

Words are looked for in every text of an experiment, `~word` in its title with letters left out, `column OP value`
compares: `=` and `!=` take several values with commas and `*` for anything, `~` means contains, `<` `<=` `>` `>=`
take numbers. Everything a person types reaches SQL as a bound value.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from orchestrator.errors import UsageError
from orchestrator.store.ablations import ABLATED, ABLATION, OUT
from orchestrator.store.records import REVERSAL
from orchestrator.store.states import State

Value = str | float
Condition = tuple[str, list[Value]]


class Kind(Enum):
    TEXT = "text"
    NUMBER = "number"
    STATE = "state"
    AGE = "age"  # typed as 90s, 20min, 2h, 3d


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the tables; `sql` is an expression over one row of `experiments`."""

    kind: Kind
    sql: str


_RUNS = (
    "(SELECT count(*) FROM runs AS r WHERE r.experiment_id = experiments.id AND r.commit_id = experiments.commit_id"
    " AND r.attempt = experiments.attempt AND r.val_bpb IS NOT NULL AND NOT r.void"
    " AND r.ground = experiments.ground)"
)
COLUMNS: dict[str, Column] = {
    "id": Column(Kind.NUMBER, "id"),
    "state": Column(Kind.STATE, "state"),
    "val_bpb": Column(Kind.NUMBER, "val_bpb"),
    "delta": Column(Kind.NUMBER, "delta"),
    "believed": Column(Kind.NUMBER, "believed_delta(experiments.id)"),  # a function of the reader's: see its `believes`
    "error": Column(Kind.NUMBER, f"nullif({_RUNS}, 0)"),  # noise / sqrt(runs): see _error
    "runs": Column(Kind.NUMBER, _RUNS),
    "title": Column(Kind.TEXT, "title"),
    "why": Column(Kind.TEXT, "reason"),
    "source": Column(Kind.TEXT, "source"),
    "team": Column(Kind.TEXT, "team"),
    "by": Column(Kind.TEXT, "author"),
    "model": Column(Kind.TEXT, "role_model"),
    "variable": Column(Kind.TEXT, "variable"),
    "priority": Column(Kind.NUMBER, "priority"),
    "attempt": Column(Kind.NUMBER, "attempt"),
    "age": Column(Kind.AGE, "updated_at"),
}
ALIASES = {"±": "error", "bpb": "val_bpb", "score": "val_bpb", "reason": "why", "author": "by", "prio": "priority"}
ALIASES |= {"updated": "age"}

_EVERY_TEXT = "(id || ' ' || title || ' ' || hypothesis || ' ' || source || ' ' || state || ' ' || reason)"
_TERM = re.compile(r"([A-Za-z_±]+)(<=|>=|!=|=|<|>|~)(.*)", re.DOTALL)
_SIGNED = re.compile(r"(?:<=|>=|!=|=|<|>).*", re.DOTALL)  # ~ begins a word of its own
_OPEN = re.compile(r"[a-z_±]+(?:<=|>=|!=|=|<|>)")
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*(s|min|m|h|d)")
_SECONDS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}
_NOTHING = ("none", "null", "-")
STATES = (*State, ABLATION, OUT.replace(" ", "_"))
"""What may be asked of a state: those of the store, and the words by which some are told instead of their own."""
MOST_RUNS = 1e6
"""By its root, of an experiment: more than any has."""

_REMEDY = "Write it as column, sign, value: `state=discarded delta<0 title~muon age<2h`."


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a filter. Without a column: a word, `fuzzy` if letters may be left out."""

    column: str
    sign: str
    values: tuple[Value | None, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """What was asked for, understood; `text` is what a person typed of it, without the order."""

    text: str = ""
    terms: tuple[Term, ...] = ()
    sort: str | None = None  # a key of COLUMNS
    descending: bool = False

    @property
    def typed(self) -> str:
        """With the order: what gives this filter again."""
        order = f"sort={'-' * self.descending}{self.sort}" if self.sort is not None else ""
        return f"{self.text} {order}".strip()

    @property
    def columns(self) -> set[str]:
        """Those that it compares, or sorts by."""
        return {term.column for term in self.terms} | ({self.sort} if self.sort is not None else set())

    def condition(self, noise: float | None = None) -> Condition:
        """The condition on a row of `experiments`, and its values. `noise` is one run's deviation, for `error`."""
        parts, values = [], []
        for term in self.terms:
            sql, bound = _condition(term, noise)
            parts.append(sql)
            values += bound
        return " AND ".join(parts) or "1", values


EVERYTHING = Filter()


def understood(text: str) -> Filter:
    """Read a filter. Raises UsageError with one sentence and a remedy."""
    try:
        words = shlex.split(text.replace("\\", "\\\\"))
    except ValueError as error:
        raise UsageError("The quotes of the filter do not match.", "Close the quote, or leave it out.") from error
    words, terms, rest = _states_joined(_signs_joined(words)), [], []
    sort, descending = None, False
    for word in words:
        found = _TERM.fullmatch(word)
        if found is not None and found[1] == "sort" and found[2] == "=":
            sort, descending = column_named(found[3].lstrip("-+")), found[3].startswith("-")
            continue
        rest.append(word if " " not in word else f'"{word}"')
        terms.append(_compared(found) if found is not None else _word(word))
    return Filter(" ".join(rest), tuple(terms), sort, descending)


def column_named(name: str) -> str:
    """The column of that name or of an other name for it. Raises UsageError."""
    known = ALIASES.get(name.lower(), name.lower())
    if known in COLUMNS:
        return known
    near = difflib.get_close_matches(known, [*COLUMNS, *ALIASES], n=1)
    hint = f"Did you mean `{near[0]}`? " if near else ""
    raise UsageError(f"There is no column `{name}`.", f"{hint}There are: {', '.join(COLUMNS)}.")


def order_by(sort: str, descending: bool) -> str:
    """The order of rows; what has no value stands at the end either way."""
    column = COLUMNS[sort]
    falling = descending != (column.kind is Kind.AGE or sort == "error")  # the youngest, the surest come first
    collation = " COLLATE NOCASE" if column.kind is Kind.TEXT else ""
    absent = (
        f"{column.sql} IS NULL, " if sort in ("val_bpb", "delta", "believed", "error") else ""
    )  # id goes by its index alone
    last = "" if sort == "id" else ", id DESC"
    return f"{absent}{column.sql}{collation} {'DESC' if falling else 'ASC'}{last}"


# -- from words to terms


def _signs_joined(words: list[str]) -> list[str]:
    """A column, a sign and a value may stand apart: `delta <0`, `delta < 0`."""
    joined: list[str] = []
    for word in words:
        before = joined[-1].lower() if joined else ""
        named = before in COLUMNS or before in ALIASES or before == "sort"
        begun = _OPEN.fullmatch(before) is not None and _TERM.fullmatch(word) is None
        if begun or (named and _SIGNED.fullmatch(word)):
            joined[-1] += word
        else:
            joined.append(word)
    return joined


def _states_joined(words: list[str]) -> list[str]:
    """States of two words, as tables spell them, may be typed so: `state=given up`."""
    joined: list[str] = []
    for word in words:
        before = _TERM.fullmatch(joined[-1]) if joined else None
        if before is not None and before[1] == "state" and before[3]:
            last = f"{before[3].rpartition(',')[2]} {word}".partition(",")[0]
            if _state_word(last) in STATES:
                joined[-1] += f"_{word}"
                continue
        joined.append(word)
    return joined


def _word(word: str) -> Term:
    if _SIGNED.fullmatch(word):
        raise UsageError(
            f"`{word}` has no column before it.", f"{_REMEDY} To look for the text itself, write `/{word}`."
        )
    if word.startswith("~") and len(word) > 1:
        return Term("", "~", (word[1:],))
    return Term("", "", (word.removeprefix("/") or word,))  # a slash in front: the text itself, whatever it looks like


def _compared(found: re.Match[str]) -> Term:
    name, sign, text = found[1], found[2], found[3]
    try:
        column = column_named(name)
    except UsageError as error:
        raise UsageError(error.sentence, f"{error.remedy} To look for the text itself, write `/{found[0]}`.") from None
    if not text:
        raise UsageError(f"`{name}{sign}` compares with nothing.", _REMEDY)
    kind = COLUMNS[column].kind
    ordered = sign in ("<", "<=", ">", ">=")
    if ordered and kind in (Kind.TEXT, Kind.STATE):
        raise UsageError(f"`{name}` holds text, which has no {sign}.", f"Compare it with =, != or ~: `{name}~{text}`.")
    if sign == "~" and kind in (Kind.NUMBER, Kind.AGE):
        raise UsageError(f"`{name}` holds numbers, which contain nothing.", f"Compare it: `{name}<{text}`.")
    if sign == "~":
        return Term(column, sign, (text,))
    read: Callable[[str, str], Value | None] = {
        Kind.NUMBER: _number,
        Kind.AGE: _age,
        Kind.STATE: _state,
        Kind.TEXT: lambda _, value: value,
    }[kind]
    values = tuple(read(name, value) for value in ([text] if ordered else text.split(",")) if value)
    if ordered and values[0] is None:
        raise UsageError(f"`{found[0]}` compares with nothing.", f"`{name}=none` finds what has no {name}.")
    return Term(column, sign, values)


def _number(name: str, text: str) -> float | None:
    if text.lower() in _NOTHING:
        return None
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"`{name}` holds numbers, and `{text}` is none.", f"For example `{name}<0`.") from None


def _age(name: str, text: str) -> float:
    """Seconds."""
    found = _AGE.fullmatch(text.lower())
    if found is None:
        raise UsageError(f"`{text}` is no age.", f"Write `{name}<90s`, `{name}<20min`, `{name}<2h` or `{name}<3d`.")
    return float(found[1]) * _SECONDS[found[2]]


def _state_word(text: str) -> str:
    return text.lower().replace(" ", "_").replace("-", "_")


def _state(_: str, text: str) -> str:
    word = _state_word(text)
    if "*" in word or word in STATES:
        return word
    near = difflib.get_close_matches(word, STATES, n=1)
    remedy = f"Did you mean `{near[0]}`?" if near else f"States: {', '.join(STATES)}."
    raise UsageError(f"There is no state `{text}`.", remedy)


# -- from terms to SQL


def _condition(term: Term, noise: float | None) -> Condition:
    if not term.column:
        if term.sign == "~":
            letters = "%".join(_plain(letter) for letter in str(term.values[0]) if not letter.isspace())
            return "title LIKE ? ESCAPE '!'", [f"%{letters}%"]
        return f"{_EVERY_TEXT} LIKE ? ESCAPE '!'", [f"%{_plain(str(term.values[0]))}%"]
    column = COLUMNS[term.column]
    if term.sign == "~":
        return f"{column.sql} LIKE ? ESCAPE '!'", [f"%{_plain(str(term.values[0]))}%"]
    parts = [_one(term, value, noise) for value in term.values]
    joined = f"({' OR '.join(sql for sql, _ in parts)})"
    bound = [value for _, values in parts for value in values]
    return (f"NOT coalesce({joined}, 0)" if term.sign == "!=" else joined), bound


def _one(term: Term, value: Value | None, noise: float | None) -> Condition:
    """One value of a comparison; `!=` is turned round by the caller."""
    column = COLUMNS[term.column]
    sign = "=" if term.sign == "!=" else term.sign
    if value is None:
        return f"{column.sql} IS NULL", []
    if column.kind is Kind.AGE:
        seconds = float(value)
        return f"(julianday('now') - julianday({column.sql})) * 86400 {sign} ?", [seconds]
    if column.kind is Kind.NUMBER:
        return _error(sign, float(value), noise) if term.column == "error" else (f"{column.sql} {sign} ?", [value])
    if column.kind is Kind.STATE and value == ABLATION:
        return ABLATED, []
    if column.kind is Kind.STATE and value == OUT.replace(" ", "_"):
        return f"(taken_out_by IS NOT NULL AND source NOT LIKE '{REVERSAL}%')", []
    pattern = _plain(str(value)).replace("*", "%")
    return f"{column.sql} LIKE ? ESCAPE '!'", [pattern]


def _error(sign: str, value: float, noise: float | None) -> Condition:
    """The standard error of a mean is noise / sqrt(runs), so a bound on it is one on the number of runs."""
    if noise is None or value <= 0:
        return "0", []
    turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(sign, sign)
    return f"{COLUMNS['error'].sql} {turned} ?", [min(noise / value, MOST_RUNS) ** 2]


def _plain(text: str) -> str:
    """LIKE's own signs mean themselves."""
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")

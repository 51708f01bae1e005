"""What a command line may go on with: verbs, experiments that the verb can mean, agents, settings. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.actions import BY_VERB, Action
from orchestrator.store.states import ACTIVE, ENDED, WAITING, State
from tui.commands import ON_THE_COMMAND_LINE

MOST = 60

MEANT: Mapping[str, frozenset[State]] = {
    "drop": frozenset(WAITING),
    "priority": frozenset((*WAITING, *ACTIVE)),
    "end": frozenset(ACTIVE),
    "kill": frozenset(ACTIVE),
    "promote": frozenset({State.DISCARDED, State.NOT_CONFIRMED}),
    "requeue": ENDED - {State.PROMOTED},
    "revert": frozenset({State.PROMOTED}),
    "ablate": frozenset({State.PROMOTED}),
    "accept": frozenset({State.PROMOTED}),
}
"""The states of experiments that a verb can be about; for other verbs every experiment may be."""


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to name. Experiments are (id, title, state), the newest first."""

    experiments: Sequence[tuple[int, str, State]] = ()
    agents: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)  # those to change now, with their values
    papers: Sequence[tuple[str, str]] = ()
    branches: Sequence[str] = ()
    files: Sequence[tuple[str, str]] = ()  # with results of earlier work, and where they lie
    filters: Sequence[str] = ()  # what a filter of tables knows
    sorts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """A command line as it would be, and what its last word means."""

    line: str
    about: str

    @property
    def word(self) -> str:
        return self.line.split()[-1] if self.line.split() else ""


def offers(line: str, known: Known) -> list[Offer]:
    """The ways on from `line`: its last word completed, the likeliest first."""
    begun, _, last = line.rpartition(" ")
    words = begun.split()
    if not words:
        return _matching("", last, ((verb, action.help) for verb, action in BY_VERB.items() if _here(action)))
    action = BY_VERB.get(words[0])
    if action is None:
        return []
    return _matching(f"{begun} ", last, _candidates(action, words[1:], known))


def no_way(line: str) -> str:
    """What is said where nothing goes on from `line`; empty while it says all by itself."""
    begun, _, last = line.rpartition(" ")
    words = begun.split()
    if not last:
        return ""
    if not words:
        return f"no command has {last} in its name: ? lists them"
    action = BY_VERB.get(words[0])
    if action is None:
        return f"there is no command {words[0]}: ? lists them"
    meant = MEANT.get(action.verb or "")
    if len(words) == 1 and action.takes.startswith("id"):
        of = "" if meant is None else f" that {action.verb} is for"
        return f"no experiment{of} has {last} in its number or title"
    return f"nothing known goes on with {last}: enter takes the line as it is"


def _here(action: Action) -> bool:
    return action.verb not in ON_THE_COMMAND_LINE


def _candidates(action: Action, given: Sequence[str], known: Known) -> Iterable[tuple[str, str]]:
    """(word, what it means) that may come after the words that were given to a verb."""
    takes = action.takes
    if not given and (takes.startswith("id")):
        yield from _experiments(action, known)
        if "agent" in takes:
            yield from ((name, "an agent") for name in known.agents)
    elif takes == "id base" and len(given) == 1:
        yield from ((name, "a branch") for name in _bases(given[0], known))
    elif not given and takes == "text":
        yield from ((name, "an agent or a role") for name in (*known.agents, "all"))
    elif takes == "key value":
        if not given:
            yield from known.settings.items()
        elif len(given) == 1 and given[0] in known.settings:
            value = known.settings[given[0]]
            yield from ((one, "as it is" if one == value else "") for one in _values(value))
    elif takes == "paper" and not given:
        yield from known.papers
    elif action.name == "import" and not given:
        yield from known.files
    elif action.name in ("results", "queue"):
        if given == ["sort"]:
            yield from ((one, "") for one in known.sorts)
        else:
            yield from (("sort", "order by a column"),) if not given else ()
            yield from ((one, "") for one in known.filters)


def _bases(number: str, known: Known) -> list[str]:
    """Branches to put the experiment's change on: not its own, and master, where it holds the change, comes last."""
    held = any(str(one) == number and state is State.PROMOTED for one, _, state in known.experiments)
    own = (f"exp/{number}-", f"exp/{number}.")
    others = [name for name in known.branches if not name.startswith(own)]
    return sorted(others, key=lambda name: (held and _holds(name, int(number)), held and name == "master"))


def _holds(branch: str, number: int) -> bool:
    """Whether a branch most likely holds a win: master, and what was begun after it."""
    begun = re.match(r"exp/(\d+)", branch)
    return branch == "master" or (begun is not None and int(begun[1]) > number)


def _values(value: str) -> tuple[str, ...]:
    return ("true", "false") if value in ("true", "false") else (value.strip('"'),)


def _experiments(action: Action, known: Known) -> Iterable[tuple[str, str]]:
    meant = MEANT.get(action.verb or "")
    for number, title, state in known.experiments:
        if meant is None or state in meant:
            yield str(number), f"{title} ({state.value.replace('_', ' ')})"


def _matching(before: str, last: str, candidates: Iterable[tuple[str, str]]) -> list[Offer]:
    """Those that begin with the last word; where none does, those whose name or meaning holds it."""
    sought = last.lower()
    begins, holds = [], []
    for word, about in candidates:
        if word.lower().startswith(sought):
            begins.append(Offer(before + word, about))
        elif sought and sought in f"{word} {about}".lower():
            holds.append(Offer(before + word, about))
    return (begins or holds)[:MOST]

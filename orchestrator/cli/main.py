"""`autolab`: reads the words, finds the lab, carries out the verb. Exit 0; 1 for failure, 2 for wrong use."""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from orchestrator.actions import BY_VERB
from orchestrator.cli.examples import EXAMPLES
from orchestrator.cli.saying import flush, open_closed, say, write
from orchestrator.errors import LabError, UsageError
from orchestrator.given import Attempt, attempt_of, is_digits, priority, require_one, told
from orchestrator.targets.target import Direction
from roles.bounds import HIGHEST_PRIORITY, LARGEST_ID, LEAST_PRIORITY

WHERE = "only these, as in 'state=discarded delta<0 title~muon age<2h sort=delta'; docs/filters.md has the columns"
HELD = "the number of an experiment that runs, an agent, a role or a team; without one: the queue"

Verb = Callable[[argparse.Namespace], int]


class _Parser(argparse.ArgumentParser):
    """Wrong use is one sentence with a remedy on standard error, exit 2."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", f"`{self.prog} --help` shows how.")

    def print_help(self, file: Any = None) -> None:
        """Said like everything else: argparse by itself passes over what could not be written."""
        write(self.format_help())


def build_parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser of the whole command line, and that of each verb."""
    parser = _Parser(
        prog="autolab",
        description="Autonomous ML research on your own GPUs. `autolab-tui` opens the control room.",
        epilog="`autolab VERB --help` says what a verb takes.",
    )
    verbs = parser.add_subparsers(title="verbs", dest="verb", metavar="VERB", required=True)
    parsers: dict[str, argparse.ArgumentParser] = {}

    def verb(name: str, carried_out_by: str) -> argparse.ArgumentParser:
        help_text = BY_VERB[name].help
        example = f"Example: {EXAMPLES[name]}" if name in EXAMPLES else None
        described = help_text[:1].upper() + help_text[1:] + "."
        made = verbs.add_parser(name, help=help_text, description=described, epilog=example)
        made.set_defaults(carried_out_by=carried_out_by, verb=name)
        parsers[name] = made
        return made

    def lab(to: argparse.ArgumentParser) -> None:
        to.add_argument("lab", nargs="?", metavar="LAB", help="the lab; default: the current directory, else ./lab")

    def json(to: argparse.ArgumentParser) -> None:
        to.add_argument("--json", action="store_true", help="print JSON")

    made = verb("init", "laboratory.init")
    made.add_argument("place", metavar="LAB", help="the directory to make")
    made.add_argument(
        "--profile", choices=("auto", "gpu", "cpu"), default="auto", help="default: a GPU if there is one"
    )
    made.add_argument("--from", dest="source", metavar="REPO", help="make the lab of a git repository: a path or a URL")
    _target_words(made)
    made.add_argument("--progress-json", action="store_true", help=argparse.SUPPRESS)
    lab(verb("start", "laboratory.start"))
    made = verb("stop", "laboratory.stop")
    made.add_argument("--now", action="store_true", help="kill the runs under way instead of finishing them")
    lab(made)
    made = verb("run", "laboratory.run")
    made.add_argument("--experiments", type=_count, required=True, metavar="N", help="how many outcomes to wait for")
    lab(made)

    for name, carried_out_by in (
        ("status", "glance.status"),
        ("queue", "listing.queue"),
        ("results", "listing.results"),
    ):
        made = verb(name, carried_out_by)
        if name != "status":
            made.add_argument("--where", metavar="FILTER", default="", help=WHERE)
        json(made)
        lab(made)
    for name in ("show", "log", "diff"):
        made = verb(name, f"telling.{name}")
        made.add_argument("id", type=_id, metavar="ID", help="the number of the experiment")
        json(made)
        lab(made)
    made = verb("export", "listing.export")
    made.add_argument("--format", choices=("tsv", "csv", "json"), default="tsv", help="default: tsv")
    lab(made)
    made = verb("report", "reporting.report")
    made.add_argument("--out", metavar="DIR", help="where to write it; default: .autolab/report in the lab")
    json(made)
    lab(made)
    made = verb("trackio", "tracking.trackio")
    made.add_argument("--port", type=_port, metavar="N", help="default: the first free one from 7860 on")
    made.add_argument("--no-browser", action="store_true", help="open no browser, where there is one")
    lab(made)
    made = verb("review", "reviewing.review")
    json(made)
    lab(made)
    made = verb("compare", "comparing.compare")
    json(made)
    lab(made)
    made = verb("morning", "reviewing.morning")
    made.add_argument("--hours", type=_hours, default=12.0, metavar="N", help="how far to go back; default: 12")
    json(made)
    lab(made)
    made = verb("events", "consulting.events")
    json(made)
    lab(made)
    made = verb("patch", "reviewing.patch")
    made.add_argument("id", type=_id, metavar="ID", help="the number of the experiment")
    made.add_argument("--out", metavar="FILE", help="where to write it; default: beside the lab's directory")
    lab(made)
    made = verb("doctor", "glance.doctor")
    json(made)
    lab(made)

    made = verb("add", "changing.add")
    made.add_argument("--title", required=True, metavar="T", help="the change in a few words")
    made.add_argument("--hypothesis", required=True, metavar="H", help="what it does to the score, and why")
    made.add_argument(
        "--patch",
        metavar="FILE",
        help="a unified diff against master; - reads it from standard input; without one a worker makes the patch",
    )
    made.add_argument("--source", metavar="S", help="where the idea is from; default: you")
    made.add_argument("--priority", type=priority, metavar="N", help="higher runs first; default: 100")
    json(made)
    lab(made)
    made = verb("import", "changing.import_results")
    made.usage = "autolab import [-h] [LAB] FILE"
    made.add_argument("words", nargs="+", metavar="[LAB] FILE", help="a results.tsv; - reads it from standard input")
    for name in ("pause", "resume"):
        made = verb(name, "changing.pause_or_resume")
        made.usage = f"autolab {name} [-h] [ID | AGENT] [LAB]"
        made.add_argument("words", nargs="*", metavar="[ID | AGENT] [LAB]", help=HELD)
    for name in ("end", "kill", "drop", "promote", "revert", "ablate", "accept"):
        made = verb(name, "changing.on_experiment")
        made.add_argument("id", type=_id, metavar="ID", help="the number of the experiment")
        if name == "accept":
            made.add_argument("--off", action="store_true", help="take your mark off again")
        lab(made)
    made = verb("requeue", "changing.requeue")
    made.add_argument("id", type=_id, metavar="ID", help="the number of the experiment")
    made.add_argument("--patch", metavar="FILE", help="with this unified diff against master instead; - is stdin")
    made.add_argument("--title", metavar="T", help="with another title; the patch stays")
    made.add_argument(
        "--hypothesis", metavar="H", help="with another hypothesis; a patch of your own stays, else a worker"
    )
    lab(made)
    lab(verb("undo", "changing.undo"))
    made = verb("set", "changing.set_key")
    made.add_argument("key", metavar="KEY", help="as in team.wave; `autolab settings` lists them")
    made.add_argument("value", metavar="VALUE", help="what it is from now on")
    lab(made)
    made = verb("settings", "consulting.settings")
    json(made)
    lab(made)
    made = verb("earlier", "consulting.earlier")
    json(made)
    lab(made)
    made = verb("papers", "consulting.papers")
    json(made)
    lab(made)
    made = verb("paper", "consulting.paper")
    made.add_argument("paper", metavar="ID", help="its arXiv id, as in 2104.09864, or the experiment that names it")
    json(made)
    lab(made)
    made = verb("pick", "reviewing.pick")
    made.add_argument("id", type=_id, metavar="ID", help="the number of the experiment")
    made.add_argument("base", metavar="BASE", help="the branch, tag or commit that the change is put on")
    lab(made)
    made = verb("priority", "changing.priority")
    made.add_argument("id", type=_id, metavar="ID", help="the number of the experiment")
    made.add_argument("value", type=priority, metavar="N", help=f"from {LEAST_PRIORITY} to {HIGHEST_PRIORITY}")
    lab(made)
    made = verb("message", "changing.message")
    made.add_argument("agent", metavar="AGENT", help="an agent, a role, a team, or all")
    made.add_argument("text", metavar="TEXT", help="what to say; - reads it from standard input")
    lab(made)
    return parser, parsers


def _target_words(to: argparse.ArgumentParser) -> None:
    """What is optimised in the repository of --from, where that is not recognised or is to be otherwise."""
    words = to.add_argument_group(
        "what is optimised in REPO", "the layout of karpathy/autoresearch needs none of these"
    )
    words.add_argument("--target-command", metavar="COMMAND", help="what a run is, as in 'python train.py'")
    for name, help_text in (("editable", "a file that a patch may change"), ("protected", "a file that must stay")):
        words.add_argument(
            f"--target-{name}",
            action="append",
            default=[],
            metavar="FILE",
            help=f"{help_text}, or a pattern as 'src/*.py'; repeat it for more",
        )
    words.add_argument("--target-metric", metavar="PATTERN", help="the score in what is printed: one (group)")
    words.add_argument(
        "--target-direction", type=Direction.spelled, choices=list(map(str, Direction)), help="default: minimise"
    )
    words.add_argument(
        "--target-progress", metavar="PATTERN", help="per cent done, one (group); or two, done and total"
    )
    words.add_argument(
        "--target-budget",
        type=_seconds,
        metavar="SECONDS",
        help="the training budget of a run; only the time-out is enforced",
    )
    words.add_argument(
        "--target-timeout",
        type=_seconds,
        metavar="SECONDS",
        help="default: twice the budget, a minute more than it at least",
    )


def carrier(name: str) -> Verb:
    """The function of this package, named as `module.function`, that carries a verb out. Only its module is imported:
    what `autolab status` needs is there in a third of the time that the engine takes."""
    module, _, function = name.partition(".")
    found: Verb = getattr(importlib.import_module(f"orchestrator.cli.{module}"), function)
    return found


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The words of a command; options may stand anywhere among them. Raises UsageError."""
    parser, parsers = build_parsers()
    for word in arguments:
        _require_text(word)
    if arguments and arguments[0] in parsers:
        words, more = parsers[arguments[0]].parse_known_intermixed_args(list(arguments[1:]))
        if getattr(words, "id", None) is not None and words.lab is not None:
            require_one(words.verb, words.lab)
        if more:
            parsers[arguments[0]].error(f"unrecognized arguments: {' '.join(more)}")
        return words
    if arguments and not arguments[0].startswith("-"):
        begun = [verb for verb in parsers if verb.startswith(arguments[0])]
        near = begun if len(begun) == 1 else difflib.get_close_matches(arguments[0], parsers, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else "`autolab --help` lists them."
        raise UsageError(f"There is no command `{arguments[0]}`.", hint)
    return parser.parse_args(list(arguments))


def _require_text(word: str) -> None:
    """Only a path may be no UTF-8: what people say is kept as text."""
    if any("\ud800" <= letter <= "\udfff" for letter in word) and not os.path.exists(word):
        shown = word.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        raise UsageError(f"`{told(shown)}` is no UTF-8 text.", "Type it anew, in a terminal whose encoding is UTF-8.")


def _id(text: str) -> int:
    try:
        return attempt_of(text)
    except UsageError:
        raise argparse.ArgumentTypeError(f"must be the number of an experiment, not {told(text)!r}") from None


def _count(text: str) -> int:
    if not is_digits(text) or len(text) > len(str(LARGEST_ID)) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, at least 1, not {told(text)!r}")
    return int(text)


def _port(text: str) -> int:
    if not is_digits(text) or len(text) > 5 or not 0 < int(text) < 2**16:
        raise argparse.ArgumentTypeError(f"must be a port from 1 to 65535, not {told(text)!r}")
    return int(text)


MOST_HOURS = 1_000_000
"""A hundred years; a summary goes back no further than the lab anyway."""


def _hours(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= MOST_HOURS:
        raise argparse.ArgumentTypeError(f"must be a number of hours above 0, at most {MOST_HOURS}, not {told(text)!r}")
    return number


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, not {told(text)!r}")
    return number


def _with_lab(text: str, words: argparse.Namespace) -> str:
    """What went wrong, with the lab in the commands that it names."""
    from orchestrator.cli.hints import for_lab
    from orchestrator.lab import find_lab

    if "lab" not in words:  # not understood, or `init`: what it says is of another repository
        return text
    try:
        return for_lab(text, find_lab(words.lab))
    except LabError:  # there is none to name
        return text


def main(arguments: Sequence[str] | None = None) -> int:
    open_closed()
    try:
        status = _carried_out(sys.argv[1:] if arguments is None else arguments)
        flush()
        return status
    except LabError as error:  # of standard output itself
        say(f"autolab: {error}", to=sys.stderr)
        return 1
    except BrokenPipeError:  # `autolab results | head`: the reader has seen enough
        return 0


def _carried_out(arguments: Sequence[str]) -> int:
    words = argparse.Namespace()
    try:
        words = parse(arguments)
        _require_attempt(words)
        return carrier(words.carried_out_by)(words)
    except UsageError as error:
        say(f"autolab: {error}", to=sys.stderr)
        return 2
    except LabError as error:
        say(f"autolab: {_with_lab(str(error), words)}", to=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except SystemExit as shown:  # of --help
        return int(shown.code or 0)


def _require_attempt(words: argparse.Namespace) -> None:
    """Raise LabError where a number was given with an attempt that is not the experiment's present one."""
    number = getattr(words, "id", None)
    if isinstance(number, Attempt) and number.attempt is not None:
        from orchestrator.cli.telling import require_present  # reads the store, which few command lines need for this
        from orchestrator.lab import find_lab

        require_present(find_lab(words.lab), number, number.attempt)


if __name__ == "__main__":
    sys.exit(main())

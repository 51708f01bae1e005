"""The one table of actions: it drives keys, footer, help, `:` commands and the verbs of the command line.

An action's `verb` is a word that the daemon answers (orchestrator.commands) or that a client carries out by itself;
its `keys` are the control room's. Who offers an action asks this table, so that no screen invents one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Who carries an action out."""

    COMMAND = "command"  # a row in `commands`, answered by the daemon
    LAB = "lab"  # starts, stops or makes a lab
    READ = "read"  # reads the store
    VIEW = "view"  # moves about in the control room


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a person can do."""

    name: str
    kind: Kind
    help: str
    keys: tuple[str, ...] = ()  # as Textual names them
    verb: str | None = None  # on the command line and after `:`
    takes: str = ""  # "", "id", "id or agent?", "id value", "id base", "text", "key value", "paper"
    footer: str = ""  # the short word in the footer; empty: not shown there
    confirm: str = ""  # the question asked first; {} is the experiment
    several: str | None = (
        None  # None: one experiment at a time; else the question for several, {}; empty: none is asked
    )


ACTIONS: tuple[Action, ...] = (
    # moving about
    Action("help", Kind.VIEW, "show every key and command", ("question_mark",), footer="help"),
    Action("next_pane", Kind.VIEW, "go to the next pane", ("tab",), footer="pane"),
    Action("previous_pane", Kind.VIEW, "go to the pane before", ("shift+tab",)),
    Action(
        "pane", Kind.VIEW, "go to the pane of that number; 0: what changed; 2 again: next agent", tuple("0123456789")
    ),
    Action("down", Kind.VIEW, "move down", ("j", "down")),
    Action("up", Kind.VIEW, "move up", ("k", "up")),
    Action("first", Kind.VIEW, "go to the first row", ("g", "home"), footer="top"),
    Action("last", Kind.VIEW, "go to the last row", ("G", "end"), footer="end"),
    Action("mark", Kind.VIEW, "mark the row, or take the mark off: orders go to all marked ones", ("space",)),
    Action("open", Kind.VIEW, "look into the selected row", ("enter",), footer="open"),
    Action("back", Kind.VIEW, "go back; clear the marks, then the filter", ("escape",), footer="back"),
    Action("full_screen", Kind.VIEW, "give the pane the whole screen, or back", ("f",), footer="zoom"),
    Action("filter", Kind.VIEW, "filter the table, or search the log", ("slash",), footer="find"),
    Action("order", Kind.VIEW, "sort the table by the next column", ("o",), footer="sort"),
    Action("turn_order", Kind.VIEW, "turn the order round", ("O",)),
    Action(
        "series", Kind.VIEW, "plot the next: best score, loss, learning rate, tokens a second", ("u",), footer="plot"
    ),
    Action("next_match", Kind.VIEW, "go to the next place that the search has found", ("n",), footer="next"),
    Action("previous_match", Kind.VIEW, "go to the place before", ("N",), footer="previous"),
    Action("copy", Kind.VIEW, "copy the id; again: the path, the diff (OSC 52 and a file)", ("y",), footer="copy"),
    Action("command_line", Kind.VIEW, "type a command", ("colon",), footer="command"),
    Action("palette", Kind.VIEW, "find an action by name", ("ctrl+p",)),
    # looking
    Action("log", Kind.READ, "show the log of an experiment's newest run", ("l",), "log", "id", footer="log"),
    Action("diff", Kind.READ, "show an experiment's patch", ("d",), "diff", "id", footer="diff"),
    Action("follow", Kind.VIEW, "follow the end of the log, or stop following", ("s",), footer="follow"),
    Action("wrap", Kind.VIEW, "wrap long lines, or stop wrapping", ("w",), footer="wrap"),
    Action("status", Kind.READ, "the lab at a glance", verb="status"),
    Action("queue", Kind.READ, "what waits for a run, in order", verb="queue"),
    Action("results", Kind.READ, "what came of every experiment", verb="results"),
    Action("show", Kind.READ, "an experiment with its runs and its story", verb="show", takes="id"),
    Action("export", Kind.READ, "the results as tsv, csv or json", verb="export"),
    Action("report", Kind.READ, "the lab's story as Markdown, with a picture of the best score", verb="report"),
    Action(
        "review", Kind.READ, "the wins in order, to accept, take out, pick or export", ("b",), "review", footer="review"
    ),
    Action("compare", Kind.READ, "what each team was worth, side by side", ("C",), "compare", footer="compare"),
    Action("events", Kind.READ, "what happened, the newest first", verb="events"),
    Action("morning", Kind.READ, "what happened while you were away", verb="morning"),
    Action(
        "patch",
        Kind.READ,
        "write an experiment's patch to a file beside the lab",
        ("e",),
        "patch",
        "id",
        "export",
    ),
    Action("earlier", Kind.READ, "the results that were imported, as they were measured elsewhere", verb="earlier"),
    Action("papers", Kind.READ, "the papers that the lab knows, and what came of each", verb="papers"),
    Action(
        "paper",
        Kind.READ,
        "the paper that an experiment names: its abstract, and what came of it",
        ("i",),
        "paper",
        "paper",
        footer="paper",
    ),
    Action(
        "settings",
        Kind.READ,
        "the settings: those to change now, and where to change the rest",
        ("comma",),
        "settings",
        footer="settings",
    ),
    Action("outcome", Kind.VIEW, "show an agent's turns of one outcome, then of the next", ("F",), footer="outcome"),
    Action("side_by_side", Kind.VIEW, "show a diff side by side, or unified again", ("v",), footer="side by side"),
    Action("doctor", Kind.READ, "what is missing or risky on this machine, and the remedy", verb="doctor"),
    # steering
    Action("pause_run", Kind.COMMAND, "pause or resume the selected run, or agent", ("p",), takes="id", footer="pause"),
    Action("pause_queue", Kind.COMMAND, "pause or resume the queue: no new run starts", ("P",), footer="pause queue"),
    Action(
        "pause", Kind.COMMAND, "pause the queue, the run of ID, an agent or a team", verb="pause", takes="id or agent?"
    ),
    Action(
        "resume",
        Kind.COMMAND,
        "resume the queue, the run of ID, an agent or a team",
        verb="resume",
        takes="id or agent?",
    ),
    Action(
        "stop_run",
        Kind.COMMAND,
        "stop the experiment's run: TERM, then KILL after a grace period",
        ("x",),
        "end",
        "id",
        footer="stop",
        confirm="Stop the run of experiment {}, with time to clean up? Its training is lost.",
        several="Stop the runs of {}, with time to clean up? Their training is lost.",
    ),
    Action(
        "kill",
        Kind.COMMAND,
        "kill the experiment's run at once",
        ("K",),
        "kill",
        "id",
        footer="kill",
        confirm="Kill the run of experiment {} at once? Its training is lost.",
        several="Kill the runs of {} at once? Their training is lost.",
    ),
    Action(
        "requeue",
        Kind.COMMAND,
        "queue a new attempt of the experiment",
        ("r",),
        "requeue",
        "id",
        footer="requeue",
        several="Queue a new attempt of {}?",
    ),
    Action(
        "edit_requeue",
        Kind.COMMAND,
        "edit the patch or hypothesis of what waits, or of a new attempt",
        ("R",),
        takes="id",
        footer="edit",
    ),
    Action("raise", Kind.COMMAND, "raise the priority", ("plus",), takes="id", several=""),
    Action("lower", Kind.COMMAND, "lower the priority", ("minus",), takes="id", several=""),
    Action(
        "priority",
        Kind.COMMAND,
        "set the priority; higher runs first",
        verb="priority",
        takes="id value",
        several="",
    ),
    Action(
        "drop",
        Kind.COMMAND,
        "take a waiting experiment out of the queue",
        keys=("D",),
        verb="drop",
        takes="id",
        footer="drop",
        confirm="Drop experiment {}?",
        several="Drop {}?",
    ),
    Action(
        "promote",
        Kind.COMMAND,
        "merge a measured experiment into master by your own decision",
        verb="promote",
        takes="id",
        confirm="Merge experiment {} into master by your own decision?",
    ),
    Action(
        "revert",
        Kind.COMMAND,
        "take a win out of master again: measured first, then merged",
        ("X",),
        "revert",
        "id",
        footer="revert",
        confirm="Take experiment {} out of master? It is measured without it first, then merged.",
    ),
    Action(
        "ablate",
        Kind.COMMAND,
        "measure master without a win, to see what it is worth by now",
        ("t",),
        "ablate",
        "id",
        footer="measure without",
        confirm="Measure master without experiment {}? It takes runs of a slot.",
    ),
    Action(
        "accept",
        Kind.COMMAND,
        "mark a win as reviewed by a person, or take the mark off again",
        ("A",),
        "accept",
        "id",
        footer="accept",
    ),
    Action(
        "pick",
        Kind.COMMAND,
        "put its change on a branch of its own, on top of BASE",
        ("c",),
        "pick",
        "id base",
        footer="pick",
    ),
    Action(
        "message",
        Kind.COMMAND,
        "send a message to an agent, a role or all",
        ("m",),
        "message",
        "text",
        footer="message",
    ),
    Action(
        "add",
        Kind.COMMAND,
        "add an experiment of your own: a patch, or an idea for the workers",
        ("a",),
        "add",
        footer="add",
    ),
    Action("undo", Kind.COMMAND, "undo your own last order", ("z",), "undo", footer="undo"),
    Action(
        "set", Kind.COMMAND, "change a setting of the lab at work: `settings` lists them", verb="set", takes="key value"
    ),
    Action("import", Kind.COMMAND, "take over earlier results (results.tsv) that agents see", verb="import"),
    # the lab
    Action("start", Kind.LAB, "start the daemon", ("S",), "start"),
    Action(
        "stop",
        Kind.LAB,
        "stop the daemon: finish the runs, or kill them with --now",
        verb="stop",
        confirm="Stop the lab? Runs under way finish first, nothing new starts.",
    ),
    Action("init", Kind.LAB, "make a lab", verb="init"),
    Action("run", Kind.LAB, "run headless until so many experiments have an outcome", verb="run"),
    Action("trackio", Kind.LAB, "open the Trackio dashboard: every run's curve, and the lab over time", verb="trackio"),
    Action("sleep", Kind.VIEW, "put the room to sleep; `fg` in the shell wakes it", ("ctrl+z",)),
    Action("redraw", Kind.VIEW, "paint everything anew", ("ctrl+l",)),
    Action("leave", Kind.VIEW, "leave; the lab goes on", ("q",), footer="leave"),
)

BY_NAME: dict[str, Action] = {action.name: action for action in ACTIONS}
BY_VERB: dict[str, Action] = {action.verb: action for action in ACTIONS if action.verb}

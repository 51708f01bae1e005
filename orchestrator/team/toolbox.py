"""The engine's side of what agents can call: each handler reads the lab or writes its store, and refuses in words."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.guard import program_hash
from orchestrator.history import MARK, idea_of
from orchestrator.lessons import without_lesson
from orchestrator.measurement.smoke_run import possible, wanted
from orchestrator.patches.functions import with_function
from orchestrator.patches.line_ends import plain, read_exact, read_source, write_source
from orchestrator.patches.submitting import commit_patch
from orchestrator.store.records import Experiment
from orchestrator.store.states import State
from orchestrator.store.writer import Proposal
from orchestrator.team import requests
from orchestrator.team.belonging import notes_of
from orchestrator.team.finishing import (
    Missing,
    counting,
    decisions_missing,
    finish_when,
    lessons_missing,
    proposals_missing,
    told_left,
)
from orchestrator.team.listing import listed
from orchestrator.team.paper_tools import PaperTools, library_of
from orchestrator.team.patch_checks import PatchChecks
from orchestrator.team.planner_tools import PlannerTools
from orchestrator.team.result_tools import MOST_LESSONS, ResultTools
from roles.errors import ToolRefusal
from roles.offline import NAME as OFFLINE
from roles.playing import Playing
from roles.tools import Answer, Tool, bind

MOST_LINES = 2000


class Toolbox:
    """The tools of one agent at one job."""

    def __init__(self, context: Context, agent: str, playing: Playing, worktree: Path | None = None) -> None:
        self._context = context
        self._agent = agent
        self._playing = playing
        self._worktree = worktree
        self._papers = PaperTools(library_of(context))
        self._proposed = 0
        self._asked_for_lessons = False

    # -- what every role may read

    def reading(self) -> list[Tool]:
        return [
            bind("read_file", self._read_file, path=self._readable()),
            bind("list_experiments", self._list_experiments),
            bind("read_diff", self._read_diff),
        ]

    async def _read_file(self, arguments: dict[str, Any]) -> Answer:
        path, start = _named(arguments), int(arguments.get("start") or 1)
        count = min(int(arguments.get("lines") or 1000), MOST_LINES)
        lines = (await self._content(path)).splitlines(keepends=True)
        chosen = lines[start - 1 : start - 1 + count]
        text = "".join(chosen)
        if start - 1 + count < len(lines):
            text += f"[lines {start} to {start + count - 1} of {len(lines)}]\n"
        return Answer(text or f"[{path} has {len(lines)} lines]")

    def _readable(self) -> list[str]:
        target = self._context.settings.target
        # The notebook tells of the lab's master; a team with its own reads what its own experiments taught.
        told = [] if self._context.line else [self._context.lab.notebook_file.name]
        return [*target.editable, *target.protected, "program.md", *told]

    async def _content(self, path: str) -> str:
        notebook, allowed = self._context.lab.notebook_file, self._readable()
        if path not in allowed:
            raise ToolRefusal(f"There is no file {path!r} for you. Files: {', '.join(allowed)}.")
        if path == notebook.name:
            if not notebook.exists():
                return "Nothing has been written down yet.\n"
            return await asyncio.to_thread(notebook.read_text, "utf-8", "replace")
        if self._worktree is not None:
            return plain(await asyncio.to_thread(read_exact, self._worktree / path))
        master = await self._context.master()
        content = await asyncio.to_thread(self._context.repository.show_file, master.commit_id, path)
        return plain(content.decode("utf-8", errors="replace"))

    async def _list_experiments(self, arguments: dict[str, Any]) -> Answer:
        return Answer(await listed(self._context, arguments, whole=self._playing.model == OFFLINE))

    async def _read_diff(self, arguments: dict[str, Any]) -> Answer:
        experiment = await self._experiment(arguments["id"])
        diff = await self._context.diff(experiment)
        return Answer(diff or f"Experiment {experiment.id} has no patch yet.")

    async def _experiment(self, experiment_id: Any) -> Experiment:
        experiment = await self._context.store.experiment(int(experiment_id))
        if experiment is None:
            raise ToolRefusal(f"There is no experiment {experiment_id}.")
        return experiment

    # -- researcher

    def researching(self, wanted: int = 0) -> list[Tool]:
        """`wanted`: how many ideas the job asks for."""

        async def missing() -> Missing:
            return proposals_missing(wanted, self._proposed)

        finish = bind("finish", finish_when(missing))
        return [*self.reading(), *self._papers.tools(), bind("propose", self._propose), finish]

    async def _propose(self, arguments: dict[str, Any]) -> Answer:
        title = " ".join(str(arguments["title"]).split())
        edit = str(arguments.get("edit") or "").strip()
        twin = await self._twin(title, str(arguments["variable"]).strip(), edit)
        if twin is not None:
            raise ToolRefusal(f"Experiment {twin.id} ({twin.state}) is the same idea: {twin.title}.")
        earlier = await self._context.store.earlier_twin(idea_of(title))
        if earlier is not None:
            score = "" if earlier.score is None else f", val_bpb {earlier.score:g}"
            raise ToolRefusal(
                f"An earlier result is the same idea ({MARK}): {earlier.description!r}, {earlier.status}{score}."
                " Where you have a reason to try it here all the same, let the title say what is different."
            )
        by_rules = self._playing.model == OFFLINE
        source, told = await self._papers.cite(str(arguments["source"]).strip(), ask=not by_rules)
        proposal = Proposal(
            title=title,
            hypothesis=_with_expected(str(arguments["hypothesis"]).strip(), arguments.get("expected")),
            source=source,
            variable=str(arguments["variable"]).strip(),
            edit=edit,
        )
        experiment = await self._context.store.add_experiment(
            proposal, author=self._agent, team=self._context.team.name, line=self._context.line
        )
        self._proposed += 1
        follows = arguments.get("follows")
        if follows is not None and await requests.meet(self._context.store, follows, experiment.id, self._agent):
            told = f"It answers the request for a follow-up of experiment {follows}. {told}"
        return Answer(f"Experiment {experiment.id} is proposed. {told}".rstrip())

    async def _twin(self, title: str, variable: str, edit: str) -> Experiment | None:
        row = await self._context.store.row(
            "SELECT * FROM experiments WHERE state != 'dropped' AND line = ? AND (title = ? COLLATE NOCASE"
            " OR (edit != '' AND edit = ? AND variable = ?)) ORDER BY id LIMIT 1",
            (self._context.line, title, edit, variable),
        )
        return None if row is None else Experiment.from_row(row)

    # -- planner

    def planning(self, proposed: Sequence[int] = (), waiting: Sequence[int] = ()) -> list[Tool]:
        """`proposed`: the experiments of the brief, which are to be decided on; `waiting`: all that may be ordered."""

        async def missing() -> Missing:
            still = {experiment.id for experiment in await self._context.store.in_states([State.PROPOSED])}
            return decisions_missing([one for one in proposed if one in still])

        own = PlannerTools(self._context, self._agent, self._playing).tools(waiting)
        deciding = [counting(tool, missing) if tool.name in ("queue", "drop") else tool for tool in own]
        return [*self.reading(), *deciding, bind("finish", finish_when(missing))]

    # -- worker

    def patching(self, experiment: Experiment, repair: bool = False) -> list[Tool]:
        """`repair`: the patch crashed, so the very same program is no answer."""

        assert self._worktree is not None
        checks = PatchChecks(self._context, experiment, self._worktree, repair)
        editable = self._context.settings.target.editable

        async def submit(arguments: dict[str, Any]) -> Answer:
            return await self._submit(experiment, str(arguments.get("summary") or ""), checks)

        async def check(_: dict[str, Any]) -> Answer:
            if refused := await checks.against_rules():
                raise ToolRefusal("The patch would be refused: " + " ".join(refused))
            return Answer(f"The rules let it pass. {await checks.changed()}")

        async def smoke(_: dict[str, Any]) -> Answer:
            if refused := [*await checks.against_rules(), *await checks.against_a_few_steps()]:
                raise ToolRefusal(" ".join(refused))
            return Answer("It trained a few steps and saved its model.")

        return [
            *self.reading(),
            bind("edit_file", self._edit_file, path=editable),
            bind("replace_function", self._replace_function, path=editable),
            bind("show_diff", self._show_diff),
            bind("check_patch", check),
            *([bind("smoke_run", smoke)] if possible(self._context) else []),
            bind("submit_patch", submit),
            bind("give_up", _finish),
        ]

    def _editable(self, path: str) -> Path:
        assert self._worktree is not None
        if path not in self._context.settings.target.editable:
            raise ToolRefusal(
                f"{path} may not be changed. Editable: {', '.join(self._context.settings.target.editable)}."
            )
        return self._worktree / path

    async def _edit_file(self, arguments: dict[str, Any]) -> Answer:
        file = self._editable(_named(arguments))
        old, new = plain(str(arguments["old"])), str(arguments["new"])
        text = await asyncio.to_thread(read_source, file)
        found = text.count(old) if old else 0
        if found != 1:
            raise ToolRefusal(
                f"`old` occurs {found} times in {file.name}; it must occur exactly once."
                " Copy a longer piece of the file, with its exact spaces."
            )
        await asyncio.to_thread(write_source, file, text.replace(old, new))
        return Answer(f"{file.name} is changed.")

    async def _replace_function(self, arguments: dict[str, Any]) -> Answer:
        file, name = self._editable(_named(arguments)), str(arguments["name"])
        text = await asyncio.to_thread(read_source, file)
        try:
            changed = await asyncio.to_thread(with_function, text, name, str(arguments["code"]))
        except LabError as error:
            raise ToolRefusal(str(error)) from None
        if changed == text:
            raise ToolRefusal(f"{name} stands in {file.name} just so already; nothing is changed.")
        await asyncio.to_thread(write_source, file, changed)
        return Answer(f"{file.name} is changed: {name} is replaced.")

    async def _show_diff(self, _: dict[str, Any]) -> Answer:
        assert self._worktree is not None
        diff = await asyncio.to_thread(self._context.repository.uncommitted_diff, self._worktree)
        return Answer(diff or "Nothing is changed yet.")

    async def _submit(self, experiment: Experiment, summary: str, checks: PatchChecks) -> Answer:
        assert self._worktree is not None
        refused = await checks.against_rules()
        if not refused and wanted(self._context):
            refused = await checks.against_a_few_steps()
        if refused:
            raise ToolRefusal("Refused before any run: " + " ".join(refused))
        await commit_patch(
            self._context,
            experiment,
            self._worktree,
            await checks.base(),
            model=self._playing.model,
            actor=self._agent,
            reason=f"patch submitted: {summary}" if summary else "patch submitted",
            program=program_hash((await checks.sources())[1]),
        )
        return Answer("The patch is submitted.", finished=True)

    # -- reviewer

    def reviewing(self) -> list[Tool]:
        return [*self.reading(), bind("approve", _finish), bind("reject", _finish)]

    def handing_over(self) -> list[Tool]:
        lesson = bind("lesson", ResultTools(self._context, self._agent).lesson)
        return [
            *self.reading(),
            counting(lesson, self._lessons_missing, ending="hand_over"),
            bind("hand_over", self._hand_over),
        ]

    async def _lessons_missing(self) -> Missing:
        untold = await without_lesson(self._context.store, MOST_LESSONS, team=notes_of(self._context))
        return lessons_missing([one.id for one in untold])

    async def _hand_over(self, arguments: dict[str, Any]) -> Answer:
        missing = await self._lessons_missing()
        if missing.told and not self._asked_for_lessons:
            self._asked_for_lessons = True
            raise ToolRefusal(told_left(missing, "hand_over"), missing.by)
        lines = [str(arguments["findings"]).strip()]
        for wish in arguments.get("priorities") or []:
            experiment = await self._context.store.experiment(int(wish["id"]))
            if experiment is not None and experiment.state in (State.PROPOSED, State.QUEUED, State.READY):
                lines.append(f"Experiment {experiment.id}: priority {wish['priority']}, because {wish['reason']}")
        await self._context.store.add_note("findings", self._agent, "\n".join(lines), team=self._context.team.name)
        return Answer("The planner has your findings.", finished=True)

    # -- reporter

    def reporting(self) -> list[Tool]:
        return [
            *self.reading(),
            bind("cancel", ResultTools(self._context, self._agent).cancel),
            bind("report", self._report),
        ]

    async def _report(self, arguments: dict[str, Any]) -> Answer:
        text = "\n\n".join(
            f"{heading}\n{str(arguments[key]).strip()}"
            for heading, key in (
                ("What works", "works"),
                ("What does not work", "does_not_work"),
                ("What looks wrong", "looks_wrong"),
                ("Open questions", "open_questions"),
            )
            if str(arguments.get(key) or "").strip()
        )
        gist = str(arguments.get("works") or "").strip() or text
        await self._context.store.add_note("report", self._agent, text, team=self._context.team.name, gist=gist)
        return Answer("The report is delivered.", finished=True)


def _named(arguments: dict[str, Any]) -> str:
    """The file that a call names; `./train.py` is train.py."""
    return str(arguments["path"]).strip().removeprefix("./")


def _with_expected(hypothesis: str, expected: float | None) -> str:
    """A hypothesis with the number that it expects, so that the result can be held against it."""
    return hypothesis if expected is None else f"{hypothesis} Expected: {expected + 0.0:+g} val_bpb."  # no -0


async def _finish(arguments: dict[str, Any]) -> Answer:
    return Answer("Done.", finished=True)

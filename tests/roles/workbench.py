"""A worker's tools over one text in memory, and a journal, for tests and benchmarks of the agent loop."""

from __future__ import annotations

from typing import Any

from roles.errors import ToolRefusal
from roles.tools import Answer, Tool, bind
from tests.roles.weak_scripts import CHANGED, FILE

SYSTEM = "You are a worker. You change train.py as the experiment asks, and submit the patch."
BRIEF = "Experiment 1\nTitle: ReLU instead of GELU\nEdit: set ACTIVATION in train.py to 'relu'"


class Workbench:
    """train.py in memory; `submitted` is its text once the patch was submitted."""

    def __init__(self, filler: int = 0) -> None:
        self.file = FILE + "".join(f"# line {number} of what nobody reads\n" for number in range(filler))
        self._before = self.file
        self.submitted = ""

    def tools(self) -> list[Tool]:
        """What a worker has at hand."""
        return [
            bind("read_file", self._read),
            bind("edit_file", self._edit),
            bind("submit_patch", self._submit),
            bind("give_up", self._give_up),
        ]

    async def _read(self, arguments: dict[str, Any]) -> Answer:
        if arguments["path"] != "train.py":
            raise ToolRefusal(f"There is no file {arguments['path']!r}; there is train.py.")
        first = arguments["start"] - 1
        return Answer("".join(self.file.splitlines(keepends=True)[first : first + arguments["lines"]]))

    async def _edit(self, arguments: dict[str, Any]) -> Answer:
        if self.file.count(arguments["old"]) != 1:
            raise ToolRefusal("`old` does not occur exactly once.")
        self.file = self.file.replace(arguments["old"], arguments["new"])
        return Answer(CHANGED)

    async def _submit(self, arguments: dict[str, Any]) -> Answer:
        if self.file == self._before:
            raise ToolRefusal("The patch changes nothing yet.")
        self.submitted = self.file
        return Answer("The patch is submitted.", finished=True)

    async def _give_up(self, arguments: dict[str, Any]) -> Answer:
        return Answer("The job is given up.", finished=True)


class Silent:
    """A journal that nobody reads."""

    def thinking(self) -> None:
        """Nothing."""

    def text(self, piece: str) -> None:
        """Nothing."""

    def call(self, name: str, arguments: str) -> None:
        """Nothing."""

    def answer(self, name: str, text: str) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def usage(self, tokens_in: int, tokens_out: int) -> None:
        """Nothing."""

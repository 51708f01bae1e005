"""Orders to stop: each is answered when the lab has come to its end, or when it was called off."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.errors import LabError
from orchestrator.store.records import Command
from orchestrator.store.writer import Writer


class StopOrders:
    """Those of one daemon."""

    def __init__(
        self,
        store: Writer,
        stop: Callable[[bool], None] | None = None,
        go_on: Callable[[], bool] | None = None,
    ) -> None:
        """`stop` lets the engine come to its end (at once, or with the runs under way finished), None where there is
        no engine; `go_on` calls that off, and says whether it still could."""
        self._store = store
        self._stop = stop
        self._go_on = go_on
        self._waiting: list[Command] = []

    def hold(self, command: Command) -> bool:
        """Whether it was taken already, and waits for the end."""
        return any(one.id == command.id for one in self._waiting)

    async def take(self, command: Command) -> str | None:
        """The answer; None where it comes at the end."""
        if self._stop is None:
            return "the daemon is not running; runs under way end by themselves, `autolab kill ID` ends one now"
        now = bool(command.arguments.get("now"))
        self._waiting.append(command)
        self._stop(now)
        if underway := len(await self._store.runs_underway()):
            runs = "1 run" if underway == 1 else f"{underway} runs"
            told = f"the lab is to stop: {runs} under way to {'kill' if now else 'finish'} first"
            await self._store.event("lab", command.actor, told)
        return None

    async def call_off(self, actor: str) -> str:
        """The lab goes on. Raises LabError when it is too late for that."""
        if not self._waiting:
            return "the lab is at work already"
        if self._go_on is None or not self._go_on():
            raise LabError("The lab is about to end; the stop cannot be called off any more.", "Start it after that.")
        stops, self._waiting = self._waiting, []
        for command in stops:
            await self._store.answer_command(command, False, f"called off by {actor}: the lab goes on")
        return "the stop is called off; the lab goes on"

    async def answer(self, reason: str) -> None:
        """Tell those who asked for the end that it has come."""
        for command in self._waiting:
            await self._store.answer_command(command, True, reason)

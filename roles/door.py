"""What a request waits for before it goes out: circuit, rate limit, and a pause after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from roles.circuit import Circuit
from roles.errors import ModelError
from roles.openai_refusals import Passing
from roles.rate import Entry, Rate
from roles.record import Trouble

LONGEST_WAIT = 120.0
"""Seconds; while a server asks for a longer wait nobody asks it, and the job can go elsewhere."""


class Door:
    """The way of one model's requests to its endpoint; `label` names both, `retry_seconds` is the first pause."""

    def __init__(self, model: str, label: str, circuit: Circuit, rate: Rate, retry_seconds: float) -> None:
        self._model = model
        self._label = label
        self._circuit = circuit
        self._rate = rate
        self._retry_seconds = retry_seconds

    async def pass_circuit(self) -> None:
        """Wait as the endpoint has asked everybody to. Raises ModelError when that is too long, or its circuit open."""
        if (wait := self._circuit.wait_seconds) > LONGEST_WAIT:
            raise self._alone(f"has asked to be left alone, for {wait:.0f} s more")
        if wait > 0:
            await asyncio.sleep(wait)
        if not self._circuit.may_ask():
            shown = self._circuit.shown
            raise self._alone(
                f"is left alone for {shown.seconds:.0f} s after {shown.failures} failures in a row ({shown.reason})"
            )

    def _alone(self, why: str) -> ModelError:
        alone = ModelError(f"{self._label} {why}.", "Look at the server; it is tried again by itself.")
        alone.passing = True
        return alone

    async def pass_rate(self, tokens: int, on_text: Callable[[str], None], bound: asyncio.Timeout) -> Entry:
        """Wait for the model's rate limit; the wait is no part of the time that a reply may take (`bound`)."""
        now = asyncio.get_running_loop().time
        left = (bound.when() or now()) - now()
        bound.reschedule(None)
        entry = await self._rate.admit(
            tokens,
            lambda seconds: on_text(f"\n[{seconds:.0f} s until the rate limit of {self._model} lets this through]\n"),
        )
        bound.reschedule(now() + left)
        return entry

    def note_failure(self, passing: Passing, said: str) -> None:
        """A try has failed; `said` is why, with nothing secret in it."""
        if passing.trouble is Trouble.RATE_LIMIT:
            self._circuit.worked()
        else:
            self._circuit.failed(said.removeprefix(self._label).strip())
        if passing.wait is not None and (passing.trouble is Trouble.RATE_LIMIT or passing.wait > LONGEST_WAIT):
            self._circuit.ask_later(passing.wait)

    def wait(self, passing: Passing, attempt: int) -> float:
        """Seconds until the next try. Raises ModelError when the server asks for too long a wait."""
        if passing.wait is None:
            return min(self._retry_seconds * 2.0**attempt, LONGEST_WAIT)
        if passing.wait > LONGEST_WAIT:
            asked = passing.error.sentence.rstrip(".")
            too_long = ModelError(f"{asked}, and to wait {passing.wait:.0f} s.", passing.error.remedy)
            too_long.troubles, too_long.passing = passing.error.troubles, True
            raise too_long
        return passing.wait

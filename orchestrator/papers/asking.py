"""Questions to the Hub: each a process with a time-out, and no process while the Hub is known to be out of reach."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

MOST_SECONDS = 40.0
"""For a question, start and answer together."""
PAUSE_SECONDS = 300.0
"""After a failure, in which nothing is asked: agents must not wait for the same time-out again and again."""
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "SSL_CERT_FILE")
PASSED_ON_PREFIXES = ("HF_HUB_", "HF_ENDPOINT", "HF_HOME", "TRANSFORMERS_OFFLINE", "REQUESTS_CA", "CURL_CA")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class Unreachable(Exception):
    """The Hub did not answer; the text says why, as a clause. `missing`: it answered that there is no such paper."""

    def __init__(self, why: str, missing: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.missing = missing


class Hub:
    """The Hub at HF_ENDPOINT, as the environment says; no key of the environment goes along."""

    def __init__(
        self,
        environment: Mapping[str, str] = os.environ,
        *,
        most_seconds: float = MOST_SECONDS,
        pause_seconds: float = PAUSE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._environment = environment
        self._most = most_seconds
        self._pause = pause_seconds
        self._clock = clock
        self._quiet_until = float("-inf")
        self._why = ""

    async def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Its answer. Raises Unreachable; cancelling ends the process."""
        if self._clock() < self._quiet_until:
            raise Unreachable(self._why)
        answer = await self._answer(json.dumps(question).encode())
        failed = answer.get("failed")
        if failed is None:
            return answer
        missing = bool(answer.get("missing"))
        if not missing:
            self._why, self._quiet_until = str(failed), self._clock() + self._pause
        raise Unreachable(str(failed), missing)

    async def _answer(self, question: bytes) -> dict[str, Any]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "orchestrator.papers.hub"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=dict(_passed_on(self._environment)),
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._most):
                out, _ = await process.communicate(question)
            found = json.loads(out)
            return found if isinstance(found, dict) else {"failed": "the answer is not understood"}
        except TimeoutError:
            return {"failed": f"the Hub has not answered within {self._most:g} s"}
        except ValueError:
            return {"failed": "the process that asks the Hub broke off"}
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def _passed_on(environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """What the process needs of the environment: where the Hub is and how to get there."""
    return [
        (name, value)
        for name, value in environment.items()
        if name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES) or name.lower() in PROXIES
    ]

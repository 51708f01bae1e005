"""`autolab` in a child process that need not import the program anew: the tests call it hundreds of times.

The children are forked from a process that has imported it and done nothing else (multiprocessing's forkserver). What
runs is `main()` with its words, in the environment and directory of the test, with streams of its own.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from multiprocessing import forkserver
from pathlib import Path

IMPORTED = ["orchestrator.cli.main", "orchestrator.cli.changing", "orchestrator.cli.laboratory", "orchestrator.daemon"]


def begin() -> None:
    """Import the program, in the environment of now."""
    multiprocessing.set_forkserver_preload(IMPORTED)
    forkserver.ensure_running()


def autolab(*words: str, timeout: float = 120, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
        child = multiprocessing.get_context("forkserver").Process(
            target=_carry_out, args=(words, dict(os.environ), str(cwd or Path.cwd()), out.name, err.name)
        )
        child.start()
        child.join(timeout)
        if child.exitcode is None:
            child.kill()
            child.join()
            raise subprocess.TimeoutExpired(["autolab", *words], timeout, out.read(), err.read())
        told, erred = (Path(stream.name).read_text(encoding="utf-8") for stream in (out, err))
        return subprocess.CompletedProcess(["autolab", *words], child.exitcode, told, erred)


def _carry_out(words: tuple[str, ...], environment: dict[str, str], directory: str, out: str, err: str) -> None:
    """In the child."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    for name, descriptor in ((out, 1), (err, 2)):
        written = os.open(name, os.O_WRONLY | os.O_APPEND)
        os.dup2(written, descriptor)
        os.close(written)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.argv = ["autolab", *words]
    from orchestrator.cli.main import main

    sys.exit(main())

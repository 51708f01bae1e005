"""The sandbox where bubblewrap is missing: Landlock and, where they are allowed, namespaces. See enter.py.

Nothing can be shown under another path here: a view's places are the sources themselves.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrator.sandbox import interpreter, system
from orchestrator.sandbox.view import View


def command(view: View, library: Path | None, argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` inside; `library` is what `library.build` made, or None where
    the text of the standard library is no secret.
    """
    hidden = [] if library is None else [*interpreter.library_places(), interpreter.own_library()]
    facts = system.machine_facts(bool(view.gpu_nodes))
    system_parts = [Path(part) for part in (*system.parts(), *system.FILES, *facts)]
    system_parts += [Path("/", name) for name in system.ROOT_LIBRARIES] + interpreter.shown_parts()
    packages = interpreter.package_places()
    copies = [] if library is None else [path.resolve() for path in interpreter.copies_of_the_library()]
    shown = [*_without(hidden, system_parts), library or interpreter.own_library(), *_without(copies, packages)]
    readable = list(map(str, shown))
    extensions = interpreter.extension_modules()
    if extensions is not None:
        readable.append(str(extensions))
    readable += [mount.source for mount in view.mounts if not mount.writable]
    writable = [mount.source for mount in view.mounts if mount.writable]
    search_path = [str(library or ""), interpreter.further_search_path()]
    order = {
        "readable": readable,
        "listable": list(map(str, packages)),  # where not all is readable, Python still has to look through
        "writable": writable,
        "devices": view.gpu_nodes,
        "scratch_bytes": view.scratch_bytes,
        "directory": view.directory,
        "environment": {
            **system.environment(),
            "PYTHONPATH": ":".join(word for word in search_path if word),
            **view.environment,
        },
        "argv": list(argv),
    }
    return [sys.executable, "-I", "-S", str(Path(__file__).with_name("enter.py")), json.dumps(order)]


def _without(hidden: Sequence[Path], places: Sequence[Path]) -> list[Path]:
    """What is readable of these places: Landlock only allows, so whoever holds something hidden is replaced by what
    else is in it."""
    found: list[Path] = []
    waiting = list(places)
    while waiting:
        one = waiting.pop()
        real = one.resolve()
        if real in hidden or not real.exists():
            continue
        if any(place.is_relative_to(real) for place in hidden):
            waiting += sorted(real.iterdir())
        else:
            found.append(real)
    return sorted(set(found))

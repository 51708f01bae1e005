"""The sandbox by bubblewrap: a mount namespace with only what a view names, and namespaces for all the rest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from orchestrator.sandbox import interpreter, system
from orchestrator.sandbox.view import View

USER = "1000"
"""Inside nobody is root, whoever started Autolab."""


def command(program: str, view: View, library: Path | None, argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` inside; `program` is bubblewrap, `library` what `library.build` made, or
    None where the text of the standard library is no secret.
    """
    words = [program, *_namespaces(), *_system(view), *_python(library)]
    for mount in view.mounts:
        words += ["--bind" if mount.writable else "--ro-bind", mount.source, mount.place]
    for name, place in view.at_home.items():
        words += ["--symlink", place, f"{system.HOME}/{name}"]
    words.append("--clearenv")
    user_packages = interpreter.further_search_path()
    search_path = {"PYTHONPATH": user_packages} if user_packages else {}
    for name, value in {**system.environment(), **search_path, **view.environment}.items():
        words += ["--setenv", name, value]
    # What bubblewrap makes itself is memory that nobody bounds.
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", view.directory, "--", *argv]


def _namespaces() -> list[str]:
    return [
        *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
        *("--unshare-cgroup-try", "--disable-userns", "--uid", USER, "--gid", USER),
        *("--hostname", "autolab", "--new-session", "--die-with-parent"),
    ]


def _system(view: View) -> Iterator[str]:
    for part in system.parts():
        yield from ("--ro-bind", part, part)
    for name in system.ROOT_LIBRARIES:
        path = Path("/", name)
        if path.is_symlink():
            yield from ("--symlink", os.readlink(path), str(path))
        elif path.is_dir():
            yield from ("--ro-bind", str(path), str(path))
    for file in system.FILES:
        yield from ("--ro-bind-try", file, file)
    yield from ("--proc", "/proc", "--dev", "/dev")
    # A terminal of its own would show when it was written to; and of /dev/zero comes memory that nobody counts.
    for node in ("/dev/tty", *(() if view.gpu_nodes else ("/dev/zero",))):
        yield from ("--ro-bind", "/dev/null", node)
    for settings in system.kernel_settings():
        yield from ("--ro-bind-try", settings, settings)
    size = str(view.scratch_bytes)
    yield from ("--size", size, "--tmpfs", "/dev/shm", "--size", size, "--tmpfs", "/tmp")
    if view.gpu_nodes:  # as in a container: all of it but what is mounted there
        yield from ("--ro-bind", "/sys", "/sys")
        for place in system.kernel_views():
            yield from ("--size", "4096", "--tmpfs", place, "--remount-ro", place)
    else:
        for file in system.machine_facts(gpu=False):
            yield from ("--ro-bind-try", file, file)
    for node in view.gpu_nodes:
        yield from ("--dev-bind-try", node, node)


def _python(library: Path | None) -> Iterator[str]:
    for part in interpreter.shown_parts():
        yield from ("--ro-bind", str(part), str(part))
    own = interpreter.own_library()
    shown = [*map(Path, system.parts()), *interpreter.shown_parts()]
    hidden = [] if library is None else interpreter.copies_of_the_library()
    for place in interpreter.library_places():
        if library is not None and place != own and any(place.is_relative_to(part) for part in shown):
            yield from ("--size", "4096", "--tmpfs", str(place))
            hidden.append(place)
    yield from ("--ro-bind", str(library or own), str(own))
    extensions = interpreter.extension_modules()
    if extensions is not None and library is not None:
        yield from ("--ro-bind", str(extensions), str(own / "lib-dynload"))
    for place in interpreter.package_places():
        yield from ("--ro-bind", str(place), str(place))
    for place in interpreter.copies_of_the_library() if library is not None else ():
        yield from ("--size", "4096", "--tmpfs", str(place))
    for place in hidden:
        yield from ("--remount-ro", str(place))
    for directory in system.library_path():
        yield from ("--ro-bind-try", directory, directory)

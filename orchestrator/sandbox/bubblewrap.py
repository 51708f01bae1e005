"""The sandbox by bubblewrap: a mount namespace with only what a view names, and namespaces for all the rest."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from orchestrator.sandbox import interpreter
from orchestrator.sandbox.view import View

SYSTEM_FILES = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/nsswitch.conf",
    "/nix/store",
)
MACHINE_FACTS = ("/sys/devices/system/cpu", "/sys/devices/system/node")
SYSTEM_PARTS = (
    *("/usr/bin", "/usr/sbin", "/usr/lib32", "/usr/lib64", "/usr/libx32", "/usr/libexec", "/usr/include"),
    *("/usr/local/bin", "/usr/local/lib", "/usr/local/lib64", "/usr/local/include", "/usr/local/nvidia"),
)
LIBRARY_PARTS = ("*-linux-*", "gcc*", "llvm*", "clang*", "cuda*", "nvidia*", "wsl")
"""Of /usr/lib, where it has a directory for the machine's kind; else it is flat, and shown whole."""
USER = "1000"
"""Inside nobody is root, whoever started Autolab."""


def command(program: str, view: View, library: Path, argv: Sequence[str]) -> list[str]:
    """The command line that runs `argv` inside; `program` is bubblewrap, `library` what `library.build` made."""
    words = [program, *_namespaces(), *_system(view), *_python(library)]
    for mount in view.mounts:
        words += ["--bind" if mount.writable else "--ro-bind", mount.source, mount.place]
    words.append("--clearenv")
    for name, value in {**_environment(), **view.environment}.items():
        words += ["--setenv", name, value]
    return [*words, "--chdir", view.directory, "--", *argv]


def _namespaces() -> list[str]:
    return [
        *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
        *("--unshare-cgroup-try", "--disable-userns", "--uid", USER, "--gid", USER),
        *("--hostname", "autolab", "--new-session", "--die-with-parent"),
    ]


def _system(view: View) -> Iterator[str]:
    for part in _system_parts():
        yield from ("--ro-bind", part, part)
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            yield from ("--symlink", os.readlink(path), str(path))
        elif path.is_dir():
            yield from ("--ro-bind", str(path), str(path))
    for file in SYSTEM_FILES:
        yield from ("--ro-bind-try", file, file)
    yield from ("--proc", "/proc", "--dev", "/dev")
    size = str(view.scratch_bytes)
    yield from ("--size", size, "--tmpfs", "/dev/shm", "--size", size, "--tmpfs", "/tmp")
    for file in MACHINE_FACTS if not view.gpu_nodes else ("/sys",):
        yield from ("--ro-bind-try", file, file)
    for node in view.gpu_nodes:
        yield from ("--dev-bind-try", node, node)


def _system_parts() -> list[str]:
    """Programs and shared libraries; not what else a machine keeps below /usr (other Pythons, documents, sources)."""
    found = [part for part in SYSTEM_PARTS if Path(part).is_dir() and not Path(part).is_symlink()]
    found += [str(path) for path in sorted(Path("/usr/local").glob("cuda*"))]
    libraries = [path for name in LIBRARY_PARTS for path in sorted(Path("/usr/lib").glob(name)) if path.is_dir()]
    flat = not any(Path("/usr/lib").glob("*-linux-*"))
    return found + (["/usr/lib"] if flat else [str(path) for path in libraries])


def _python(library: Path) -> Iterator[str]:
    for part in interpreter.shown_parts():
        yield from ("--ro-bind", str(part), str(part))
    own = interpreter.own_library()
    shown = [*map(Path, _system_parts()), *interpreter.shown_parts()]
    for place in interpreter.library_places():
        if place != own and any(place.is_relative_to(part) for part in shown):
            yield from ("--tmpfs", str(place))
    yield from ("--ro-bind", str(library), str(own))
    extensions = interpreter.extension_modules()
    if extensions is not None:
        yield from ("--ro-bind", str(extensions), str(own / "lib-dynload"))
    for place in interpreter.package_places():
        yield from ("--ro-bind", str(place), str(place))
    for directory in _library_path():
        yield from ("--ro-bind-try", directory, directory)


def _library_path() -> list[str]:
    """Directories of shared libraries that this process was told to use, and that stand outside what is shown."""
    found = []
    for word in os.environ.get("LD_LIBRARY_PATH", "").split(":"):
        path = Path(word)
        if path.is_absolute() and len(path.parts) > 2 and path.is_dir() and path != Path.home():
            found.append(word)
    return found


def _environment() -> dict[str, str]:
    """What every program inside gets."""
    found = {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": "/tmp",
        "USER": "autolab",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    if _library_path():
        found["LD_LIBRARY_PATH"] = ":".join(_library_path())
    if interpreter.further_search_path():
        found["PYTHONPATH"] = interpreter.further_search_path()
    return found

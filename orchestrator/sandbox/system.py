"""What a program needs of the system: commands, shared libraries, a few files; and what it gets as environment."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path

FILES = (
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/nsswitch.conf",
    "/nix/store",
)
ROOT_LIBRARIES = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
HOME = "/tmp"
"""Of a program inside, by bubblewrap."""

PARTS = (
    *("/usr/bin", "/usr/sbin", "/usr/lib32", "/usr/lib64", "/usr/libx32", "/usr/libexec", "/usr/include"),
    *("/usr/local/bin", "/usr/local/lib", "/usr/local/lib64", "/usr/local/include", "/usr/local/nvidia"),
)
LIBRARY_PARTS = ("*-linux-*", "gcc*", "llvm*", "clang*", "cuda*", "nvidia*", "wsl")
"""Of /usr/lib, where it has a directory for the machine's kind; else it is flat, and shown whole."""


def parts() -> list[str]:
    """Programs and shared libraries; not what else a machine keeps below /usr (other Pythons, documents, sources)."""
    found = [part for part in PARTS if Path(part).is_dir() and not Path(part).is_symlink()]
    found += [str(path) for path in sorted(Path("/usr/local").glob("cuda*"))]
    libraries = [path for name in LIBRARY_PARTS for path in sorted(Path("/usr/lib").glob(name)) if path.is_dir()]
    flat = not any(Path("/usr/lib").glob("*-linux-*"))
    return found + (["/usr/lib"] if flat else [str(path) for path in libraries])


def machine_facts(gpu: bool) -> tuple[str, ...]:
    """What tells a program of the processor; CUDA looks for its device on the buses, too."""
    of_devices = ("/sys/bus", "/sys/class", "/sys/dev", "/sys/devices", "/sys/module")
    return of_devices if gpu else ("/sys/devices/system/cpu", "/sys/devices/system/node")


def kernel_views() -> list[str]:
    """Where the kernel shows more than devices below /sys: tracing, debugging, programs. Root may read all of it."""
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as file:
        places = sorted(line.split()[1] for line in file)
    found: list[str] = []
    for place in places:
        inside = place.startswith("/sys/") and not place.startswith("/sys/fs/cgroup")
        if inside and not any(place == one or place.startswith(f"{one}/") for one in found):
            found.append(place)
    return found


def kernel_settings() -> list[str]:
    """What of /proc is the machine's, not a process's, and can be written to: who is root outside may, inside too."""
    found = []
    for path in sorted(Path("/proc").iterdir()):
        with contextlib.suppress(OSError):
            mode = path.lstat().st_mode
            if not path.name.isdecimal() and (stat.S_ISDIR(mode) or (stat.S_ISREG(mode) and mode & 0o222)):
                found.append(str(path))
    return found


def library_path() -> list[str]:
    """Directories of shared libraries that this process was told to use."""
    found = []
    for word in os.environ.get("LD_LIBRARY_PATH", "").split(":"):
        path = Path(word)
        if path.is_absolute() and len(path.parts) > 2 and path.is_dir() and path != Path.home():
            found.append(word)
    return found


def search_path() -> str:
    """Where programs are looked for inside: beside this Python, then in the system."""
    return f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"


def environment() -> dict[str, str]:
    """What every program inside gets."""
    found = {
        "PATH": search_path(),
        "HOME": HOME,
        "USER": "autolab",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    if library_path():
        found["LD_LIBRARY_PATH"] = ":".join(library_path())
    return found

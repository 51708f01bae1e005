"""What this Python needs to be seen of, so that the same interpreter with the same packages runs inside."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from pathlib import Path

from orchestrator.sandbox.library import source_library

PACKAGES = ("site-packages", "dist-packages")

COPIES = ("pip", "setuptools/_distutils", "setuptools/_vendor", "numpy/distutils", "anyio/_backends", "backports")
"""Of what torch needs none: distutils, tarfile, tomllib, asyncio.runners and others, as they are in the library."""


def prefixes() -> list[Path]:
    """Directories of the interpreter and of its environment, the outer one first."""
    found = [Path(sys.base_prefix).resolve(), Path(sys.base_prefix), Path(sys.prefix)]
    found.append(Path(os.path.realpath(sys.executable)).parent.parent)
    return list(dict.fromkeys(found))


def shown_parts() -> list[Path]:
    """What of the prefixes outside /usr is shown: programs, libraries and the environment's own marks."""
    found = []
    for prefix in prefixes():
        if prefix.is_relative_to("/usr"):
            continue
        found += [
            prefix / name for name in ("bin", "lib", "lib64", "include", "pyvenv.cfg") if (prefix / name).exists()
        ]
    return list(dict.fromkeys(found))


def library_places() -> list[Path]:
    """Every standard library of any Python below /usr and the prefixes; the text of each is hidden."""
    roots = [Path("/usr/lib"), Path("/usr/lib64"), Path("/usr/local/lib")]
    roots += [prefix / name for prefix in prefixes() for name in ("lib", "lib64")]
    found: dict[Path, None] = {}
    for root in dict.fromkeys(path.resolve() for path in roots if path.is_dir()):
        for place in sorted(root.glob("python[23]*")) + sorted(root.glob("pypy*")):
            if place.is_dir() and not place.is_symlink():
                found[place] = None
    return list(found)


def own_library() -> Path:
    return source_library().resolve()


def extension_modules() -> Path | None:
    """The compiled modules of the standard library; None when they are part of the interpreter."""
    place = Path(sysconfig.get_config_var("DESTSHARED") or own_library() / "lib-dynload")
    return place if place.is_dir() else None


def package_places() -> list[Path]:
    """Where installed packages lie, of all that this process can import."""
    found = [Path(entry) for entry in sys.path if Path(entry).name in PACKAGES and Path(entry).is_dir()]
    return list(dict.fromkeys(found))


def copies_of_the_library() -> list[Path]:
    """Directories of installed packages with modules of the standard library in them, nearly word for word."""
    found = [place / name for place in package_places() for name in COPIES]
    return [path for path in found if path.is_dir()]


def further_search_path() -> str:
    """The part of the search path that the interpreter does not find by itself inside: a person's own packages."""
    user = site.getusersitepackages()
    return user if user in sys.path else ""

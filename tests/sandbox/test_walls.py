"""Which sandbox stands, what it shows and seals, and what is told where none works; tried by a program inside."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import LabError
from orchestrator.sandbox import Mount, View, Walls, enclose, library, needed_walls, walls
from tests.sandbox.kinds import bubblewrap

TRY = """
import json, os, socket, subprocess, sys, sysconfig
tried = {}
def attempt(name, deed):
    try:
        tried[name] = deed()
    except BaseException as error:
        tried[name] = f"{type(error).__name__}"
port, secret, parent, work, out = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]
attempt("work", lambda: open(work + "/given").read())
attempt("write to work", lambda: open(work + "/mine", "w").close())
attempt("out", lambda: open(out + "/mine", "w").write("ok"))
attempt("at home", lambda: open(os.path.expanduser("~/.cache/data/given")).read())
attempt("write to what is at home", lambda: open(os.path.expanduser("~/.cache/data/mine"), "w").close())
attempt("write beside it", lambda: open(os.path.expanduser("~/.cache/mine"), "w").write("ok"))
attempt("secret", lambda: open(secret).read())
attempt("home", lambda: os.listdir(os.environ["REAL_HOME"]))
attempt("tcp", lambda: socket.create_connection(("127.0.0.1", port), 2))
attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", port)))
attempt("signal", lambda: os.kill(parent, 0))
attempt("processes", lambda: len([one for one in os.listdir("/proc") if one.isdigit()]))
attempt("library", lambda: open(sysconfig.get_paths()["stdlib"] + "/argparse.py").read(10))
attempt("copies", lambda: open(sysconfig.get_paths()["purelib"] + "/pip/__init__.py").read(10))
attempt("argparse", lambda: __import__("argparse").ArgumentParser().__class__.__doc__)
attempt("torch", lambda: __import__("importlib.metadata").metadata.version("torch"))
attempt("tty", lambda: open("/dev/tty"))
attempt("temporary", lambda: __import__("tempfile").TemporaryFile().write(b"ok"))
attempt("environment", lambda: sorted(os.environ))
print(json.dumps(tried))
"""


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def tried(found: Walls, place: Path, port: int, before: list[str] | None = None) -> dict[str, Any]:
    """Run TRY inside, with `before` in front of the whole command."""
    work, out = place / "work", place / "out"
    work.mkdir()
    out.mkdir()
    (work / "given").write_text("seen")
    (place / "secret").write_text("token")
    (work / "try.py").write_text(TRY)
    shown = ("/autolab/work", "/autolab/out") if found.moves else (str(work), str(out))
    view = View(
        (Mount(str(work), shown[0]), Mount(str(out), shown[1], writable=True)),
        shown[0],
        {"REAL_HOME": str(Path.home())},
        at_home={".cache/data": shown[0]},
    )
    words = [sys.executable, "try.py", str(port), str(place / "secret"), str(os.getpid()), *shown]
    done = subprocess.run(
        [*(before or []), *enclose(found, view, words)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "HF_TOKEN": "secret"},
        check=False,
    )
    if done.returncode == 126:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    assert (out / "mine").read_text() == "ok" and not (work / "mine").exists()
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def check_sealed(answer: dict[str, Any]) -> None:
    assert answer["work"] == "seen" and answer["out"] == 2
    assert answer["at home"] == "seen" and answer["write beside it"] == 2
    interpreters = {Path(prefix) for prefix in (sys.prefix, sys.base_prefix)}
    homes = {one.relative_to(Path.home()).parts[0] for one in interpreters if one.is_relative_to(Path.home())}
    assert answer["home"] in ("FileNotFoundError", "PermissionError") or set(answer["home"]) <= homes
    for deed in ("write to work", "write to what is at home", "secret", "tcp", "udp", "library", "copies", "tty"):
        assert str(answer[deed]).endswith("Error"), (deed, answer[deed])
    assert answer["argparse"] is None, "modules work, without their text"
    assert answer["torch"][0].isdigit() and answer["temporary"] == 2
    assert "HF_TOKEN" not in answer["environment"]


def test_bubblewrap_shows_what_is_named_and_nothing_else(without_text: Path, tmp_path: Path, listening: int) -> None:
    answer = tried(bubblewrap(without_text), tmp_path, listening)
    check_sealed(answer)
    assert answer["signal"] == "ProcessLookupError" and answer["processes"] <= 3


def test_landlock_with_namespaces_seals_the_same(without_text: Path, tmp_path: Path, listening: int) -> None:
    answer = tried(Walls("landlock", without_text), tmp_path, listening)
    check_sealed(answer)
    assert answer["signal"] == "ProcessLookupError" and answer["secret"] == "FileNotFoundError"


def test_landlock_where_namespaces_are_forbidden_seals_by_itself(
    without_text: Path, tmp_path: Path, listening: int
) -> None:
    program = bubblewrap(without_text).program
    forbidding = [program, "--dev-bind", "/", "/", "--proc", "/proc", "--unshare-user", "--disable-userns"]
    refused = subprocess.run(
        [*forbidding, *enclose(Walls("landlock", without_text), View((), "/"), ["/bin/true"])],
        capture_output=True,
        check=False,
    )
    assert refused.returncode == 126 and b"no namespaces" in refused.stderr, "never a weaker wall than was meant"
    answer = tried(Walls("landlock", without_text, namespaces=False), tmp_path, listening, forbidding)
    check_sealed(answer)
    assert answer["signal"] == "PermissionError"


def test_a_sandbox_in_which_cuda_does_not_start_is_refused_with_the_remedy(without_text: Path) -> None:
    if walls(without_text) is None:
        pytest.skip("neither bubblewrap nor Landlock works here")
    with pytest.raises(LabError) as told:
        needed_walls(without_text, "auto", ("/dev/full",))  # no GPU
    assert "CUDA does not start" in told.value.sentence and 'sandbox = "off"' in told.value.remedy
    installed = shutil.which("bwrap") is not None
    assert ("Install bubblewrap" in told.value.remedy) is not installed


def test_a_child_that_gets_away_dies_with_the_program(without_text: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    while True:\n"
        "        open('{}/alive', 'w').write(str(time.time()))\n"
        "        time.sleep(0.05)\n"
        "time.sleep(0.5)\n"
    )
    for found in (bubblewrap(without_text), Walls("landlock", without_text)):
        place = "/autolab/out" if found.moves else str(out)
        view = View((Mount(str(out), place, writable=True),), place)
        command = enclose(found, view, [sys.executable, "-c", code.format(place)])
        done = subprocess.run(command, timeout=30, capture_output=True, check=False)
        if done.returncode == 126:
            pytest.skip(done.stderr.decode())
        before = (out / "alive").read_text()
        time.sleep(0.4)
        assert (out / "alive").read_text() == before, f"{found.kind}: it still lives"


def test_the_library_without_text_is_built_once(tmp_path: Path) -> None:
    told: list[int] = []
    first = library.build(tmp_path, lambda _, done, total: told.append(total))
    assert told and library.build(tmp_path, lambda *_: told.clear()) == first and told
    assert (first / "os.pyc").is_file() and not list(first.rglob("*.py"))


def test_without_any_sandbox_runs_are_refused_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["orchestrator.sandbox.walls"], "walls", lambda library, gpu_nodes=(): None)
    with pytest.raises(LabError) as told:
        needed_walls(tmp_path, "auto")
    assert 'sandbox = "off"' in told.value.remedy
    assert needed_walls(tmp_path, "off").kind == "off"


def test_a_sandbox_is_found_on_this_machine(without_text: Path) -> None:
    found = walls(without_text)
    if found is None:
        pytest.skip("neither bubblewrap nor Landlock works here")
    assert found.sealed

"""`autolab trackio`: the real dashboard comes up, says where it is, and goes with Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from orchestrator.cli.main import parse
from orchestrator.errors import LabError, UsageError
from orchestrator.tracking.dashboard import directions, free_port, has_screen
from orchestrator.watching.tracking import Tracking
from tests.command_line import autolab
from tests.conftest import CLI, eventually
from tests.tracking.bench_lab import bare_lab

URL = "http://127.0.0.1:7860/?project=lab"


@pytest.fixture
def tracked_lab(tmp_path: Path) -> Path:
    async def make() -> None:
        async with bare_lab(tmp_path / "my lab") as context:
            context.lab.settings_file.write_text("")
            await Tracking(context).finish()

    asyncio.run(make())
    return tmp_path / "my lab"


def test_the_dashboard_shows_the_lab_s_project_and_ends_with_ctrl_c(tracked_lab: Path) -> None:
    port = free_port(None)
    dashboard = subprocess.Popen(
        [*CLI, "trackio", str(tracked_lab), "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "GRADIO_SHARE": "true", "HTTP_PROXY": "http://127.0.0.1:1", "SSH_CONNECTION": "a 1 b 22"},
    )
    try:
        assert dashboard.stdout is not None
        first = dashboard.stdout.readline()
        assert first == f"The dashboard is at http://127.0.0.1:{port}/?project=my%20lab\n"
        assert f"ssh -N -L {port}:127.0.0.1:{port} " in dashboard.stdout.readline()
        page = httpx.get(f"http://127.0.0.1:{port}/?project=my%20lab", trust_env=False)
        assert page.status_code == 200 and "<html" in page.text.lower()
        runs = httpx.post(
            f"http://127.0.0.1:{port}/api/get_runs_for_project", json={"project": "my lab"}, trust_env=False
        )
        assert "fleet" in runs.text
        dashboard.send_signal(signal.SIGINT)
        assert dashboard.wait(20) == 0, dashboard.communicate()
    finally:
        dashboard.kill()
        dashboard.communicate()
    eventually(lambda: free_port(port), 20, "the port to be free again")


def test_a_taken_port_and_a_wrong_one_are_one_sentence_with_a_remedy(tracked_lab: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = autolab("trackio", str(tracked_lab), "--port", str(port))
        assert (told.returncode, told.stdout) == (1, "")
        assert told.stderr.startswith(f"autolab: Port {port} is taken. Name another one: --port N")
        with pytest.raises(LabError):
            free_port(port)
    with pytest.raises(UsageError, match="must be a port"):
        parse(["trackio", "--port", "70000"])


def test_over_ssh_it_says_how_to_tunnel_and_opens_no_browser() -> None:
    over = {"SSH_CONNECTION": "10.0.0.9 51000 10.0.0.1 2222", "USER": "ada", "DISPLAY": ":0"}
    assert directions(URL, 7860, over) == [
        f"The dashboard is at {URL}",
        "From your own machine: ssh -N -L 7860:127.0.0.1:7860 -p 2222 ada@10.0.0.1",
        "then open that address there.",
        "Ctrl-C ends it; the lab goes on.",
    ]
    assert not has_screen(over)
    assert len(directions(URL, 7860, {})) == 2
    assert has_screen({"DISPLAY": ":0"}, "linux") and not has_screen({}, "linux") and has_screen({}, "darwin")

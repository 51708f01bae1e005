"""`python -m orchestrator.tracking.dashboard PROJECT PORT BROWSER`: serves Trackio's dashboard until Ctrl-C.

`autolab trackio` becomes this process, in an environment that Trackio reads before anything else (surroundings).
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Mapping
from typing import NoReturn
from urllib.parse import quote

from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.tracking.surroundings import surroundings

HOST = "127.0.0.1"
FIRST_PORT = 7860
"""Trackio's own."""

PORTS_TRIED = 100


def free_port(wanted: int | None) -> int:
    """The wanted port, or the first free one from FIRST_PORT on. Raises LabError when it is taken."""
    for port in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED) if wanted is None else (wanted,):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except PermissionError as error:
                raise LabError(f"Port {port} is not for you to open.", "Name one above 1023: --port N.") from error
            except OSError:
                continue
            return port
    if wanted is None:
        last = FIRST_PORT + PORTS_TRIED - 1
        raise LabError(f"The ports {FIRST_PORT} to {last} are all taken.", "Name another one: --port N.")
    raise LabError(f"Port {wanted} is taken.", "Name another one: --port N; without it the first free one is found.")


def become_dashboard(lab: Lab, project: str, wanted_port: int | None, browser: bool) -> NoReturn:
    """Turn this process into the dashboard of a lab. Raises LabError before that."""
    port = free_port(wanted_port)
    try:
        lab.trackio.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(
            f"{lab.trackio} cannot be made ({error.strerror}).", "Check the permissions of the lab."
        ) from error
    environment = surroundings(lab.trackio)
    local = {name.strip() for name in environment.get("NO_PROXY", "").split(",")} | {HOST, "localhost"}
    environment["NO_PROXY"] = environment["no_proxy"] = ",".join(
        sorted(local - {""})
    )  # it asks itself whether it is up
    # -P: the directory that the command is typed in, maybe a lab's, is no place to import from.
    words = ["-P", "-m", "orchestrator.tracking.dashboard", project, str(port), "yes" if browser else "no"]
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *words], environment)


def has_screen(environment: Mapping[str, str], system: str = sys.platform) -> bool:
    """Whether a browser that is started here opens before the eyes of the person who typed the command."""
    if "SSH_CONNECTION" in environment or "SSH_TTY" in environment:
        return False
    return system == "darwin" or bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def directions(url: str, port: int, environment: Mapping[str, str]) -> list[str]:
    """How a person gets to the dashboard; over SSH by a tunnel, since it listens on this machine alone."""
    lines = [f"The dashboard is at {url}", "Ctrl-C ends it; the lab goes on."]
    connection = environment.get("SSH_CONNECTION", "").split()
    if connection or "SSH_TTY" in environment:
        user = environment.get("USER") or environment.get("LOGNAME") or "you"
        server, ssh_port = (connection[2], connection[3]) if len(connection) == 4 else (socket.gethostname(), "22")
        aside = "" if ssh_port == "22" else f"-p {ssh_port} "
        tunnel = f"ssh -N -L {port}:{HOST}:{port} {aside}{shlex.quote(user)}@{server}"
        lines[1:1] = [f"From your own machine: {tunnel}", "then open that address there."]
    return lines


def serve(project: str, port: int, browser: bool) -> None:
    """Serve until SIGINT or SIGTERM. Raises LabError when the dashboard does not come up."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            import trackio

            from orchestrator.tracking.project import accepted_name

            server, url, _, _ = trackio.show(
                project=accepted_name(project),
                open_browser=False,
                block_thread=False,
                host=HOST,
                share=False,
                server_port=port,
            )
    except Exception as error:  # whatever a server of somebody else's does when it fails
        raise LabError(
            f"Trackio's dashboard does not start ({type(error).__name__}: {error}).",
            "Try another --port; if that does not help, `pip install --upgrade trackio`.",
        ) from error
    address = f"{url}?project={quote(accepted_name(project))}"
    print("\n".join(directions(address, port, os.environ)), flush=True)
    if browser:
        webbrowser.open(address)
    ended.wait()
    server.close()


def main() -> int:
    project, port, browser = sys.argv[1:]
    try:
        serve(project, int(port), browser == "yes")
    except LabError as error:
        print(f"autolab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

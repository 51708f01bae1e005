"""The verb `trackio`: the dashboard of the lab's Trackio project, in the foreground."""

from __future__ import annotations

import os
from argparse import Namespace

from orchestrator.cli.asking import ask
from orchestrator.cli.saying import say
from orchestrator.lab import find_lab
from orchestrator.tracking.dashboard import become_dashboard, has_screen
from orchestrator.watching.tracking import PROJECT


def trackio(words: Namespace) -> int:
    lab = find_lab(words.lab)
    project = ask(lab, lambda reader: reader.meta(PROJECT)) or lab.root.name
    if not lab.trackio.is_dir() or not any(lab.trackio.glob("*.db")):
        say("Nothing is written yet: the dashboard fills when the lab is at work.")
    become_dashboard(lab, project, words.port, browser=not words.no_browser and has_screen(os.environ))

"""Sees to it that the CPU time of a child is on its parent's account when it is gone.

A process that has the kernel bury its children (SIGCHLD ignored, or SA_NOCLDWAIT) never gets their CPU time added to
its own, so work handed to such children would be done outside the budget. A filter lets every wish to change what
SIGCHLD does go by without effect: it stays as it is by default, and children wait until their parent, or the first
process of their namespace, has asked after them. Waiting for a child works as ever.

Sources: sigaction(2), wait(2) of the Linux manual.
"""

from __future__ import annotations

import signal

from orchestrator.seccomp import DONE_WITHOUT_EFFECT, Given, OneOf, Rule, compiled, install

NEW_ACTION = 1
"""Which argument it is."""


def keep_children_on_account() -> bool:
    """From here on, for this process and all that it starts; false where that is not known or not allowed."""
    of_children = (OneOf(0, (signal.SIGCHLD,)), Given(NEW_ACTION))
    return install(compiled([Rule("rt_sigaction", DONE_WITHOUT_EFFECT, of_children)]))

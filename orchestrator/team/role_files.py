"""The lab's own copies of the role files."""

from __future__ import annotations

from orchestrator.errors import LabError
from orchestrator.lab import Lab
from roles.errors import RoleFileError
from roles.role_file import RoleFile, load, shipped


def load_role(lab: Lab, role: str) -> RoleFile:
    """The lab's own copy of a role file. Raises LabError when it is broken."""
    path = lab.roles / f"{role}.md"
    try:
        return load(path if path.is_file() else shipped(role))
    except RoleFileError as error:
        raise LabError(error.sentence, error.remedy) from error

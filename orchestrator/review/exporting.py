"""An experiment's patch as a file for other repositories: what `git am` and `git apply` take."""

from __future__ import annotations

from pathlib import Path

from orchestrator.branches import Repository
from orchestrator.branches.naming import slug
from orchestrator.branches.picking import patch_text
from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.store.records import Experiment


def patch_file(lab: Lab, experiment: Experiment) -> Path:
    """Beside the lab's directory: `my-lab-12-muon.patch`."""
    return lab.root.parent / f"{lab.root.name}-{experiment.label}-{slug(experiment.title)}.patch"


def write_patch(lab: Lab, experiment: Experiment, into: Path | None = None) -> Path:
    """Write the patch (an older one of that name is replaced); returns where it is. Raises LabError."""
    assert experiment.commit_id is not None
    path = into or patch_file(lab, experiment)
    content = patch_text(Repository(lab.root), experiment.commit_id)
    try:
        path.write_bytes(content)
    except OSError as error:
        raise LabError(
            f"The patch cannot be written to {path} ({error.strerror}).",
            f"`autolab patch {experiment.id} --out FILE` names another place.",
        ) from error
    return path

"""What is missing or risky on this machine, and the remedy."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import platform
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.daemon_log import death_of
from orchestrator.errors import LabError
from orchestrator.lab import Lab, daemon_of
from orchestrator.neighbours import labs_at_work, named, remedy
from orchestrator.runs.slots import device_files, gpu_reading, gpu_slots, machine_memory, usable_cores, used_by_others
from orchestrator.sandbox import walls
from orchestrator.sandbox.library import source_library
from orchestrator.settings import ModelSection, Settings, read_settings
from orchestrator.targets.missing import what_is_missing
from orchestrator.targets.target import SEED_UNREAD, SEED_VARIABLE, ScriptTarget, reads_seed

IN_USE_REMEDY = "Runs wait until others have left it; `share_gpus = true` in autolab.toml uses it all the same."

PROBE_TOKENS, PROBE_SECONDS = 1024, 60.0
"""Of a model's answer when it is tried: one that thinks before a word needs some, one that rambles gets no more."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `needed`: without it Autolab cannot work."""

    name: str
    ok: bool
    found: str
    remedy: str = ""
    needed: bool = False


def examine(lab: Lab | None) -> list[Finding]:
    """Look at the machine and, if there is one, at the lab."""
    at_work = lab is not None and daemon_of(lab) is not None
    findings = [
        _python(),
        _git(),
        _torch(),
        _gpus(at_work),
        _memory(),
        _disk(lab.root if lab else Path.cwd()),
        _sandbox(),
        _neighbours(lab),
    ]
    if lab is not None:
        findings += _lab(lab)
    return findings


def _python() -> Finding:
    return Finding("python", sys.version_info >= (3, 11), platform.python_version(), "Use Python 3.11 or newer.", True)


def _git() -> Finding:
    try:
        words = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.split()
        version = words[2]
        ok = tuple(int(part) for part in version.split(".")[:2]) >= (2, 38)
    except (OSError, subprocess.CalledProcessError, ValueError, IndexError):
        return Finding("git", False, "not found", "Install git 2.38 or newer.", True)
    return Finding("git", ok, version, "Install git 2.38 or newer.", True)


def _torch() -> Finding:
    try:
        return Finding("torch", True, importlib.metadata.version("torch"), needed=True)
    except importlib.metadata.PackageNotFoundError:
        return Finding("torch", False, "not installed", "pip install 'torch>=2.11,<2.14'", True)


def _gpus(at_work: bool) -> Finding:
    """`at_work`: a run of this lab may be what uses them."""
    found = gpu_slots()
    if found:
        used = {slot.name: "" if at_work else used_by_others(gpu_reading(slot)) for slot in found}
        told = [f"{slot.name} {slot.device}" + f" ({used[slot.name]})" * bool(used[slot.name]) for slot in found]
        return Finding("gpu", not any(used.values()), ", ".join(told), IN_USE_REMEDY)
    if shutil.which("nvidia-smi") or Path("/proc/driver/nvidia").exists():
        return Finding("gpu", False, "a driver, but NVML shows no GPU", "Look at `nvidia-smi`.")
    cores = usable_cores()
    return Finding("gpu", True, f"none; {cores} CPU core{'s' * (cores != 1)} (profile cpu)")


def _slots(settings: Settings) -> Finding:
    """How many runs go at once, and whether the machine has so much."""
    wanted, there = settings.lab.slots, len(gpu_slots()) or usable_cores()
    if wanted == "auto":
        return Finding("slots", True, f"{there}, one for each that the machine has")
    found = f"{wanted}, as autolab.toml says; the machine has {there}"
    return Finding("slots", wanted <= there, found, "More share what there is, and every run gets less of it.")


def _memory() -> Finding:
    gib = machine_memory() / 2**30
    return Finding("memory", gib >= 2, f"{gib:.1f} GiB", "A run on a CPU slot needs about 1 GiB.")


def _disk(place: Path) -> Finding:
    existing = next(path for path in (place, *place.parents) if path.exists())
    free = shutil.disk_usage(existing).free / 2**30
    writable = os.access(existing, os.W_OK)
    if not writable:
        return Finding("disk", False, f"{existing} is read-only for you", "Choose another place for the lab.", True)
    return Finding(
        "disk", free >= 2, f"{free:.1f} GiB free at {existing}", "Free some space: runs keep logs and weights."
    )


def _sandbox() -> Finding:
    """Whether a program can be shut in; tried with Python's own library, which is enough to tell."""
    library, gpus = source_library(), gpu_slots()
    found = walls(library, device_files(gpus[0]) if gpus else ())
    if found is None:
        only_cuda = bool(gpus) and walls(library) is not None
        return Finding(
            "sandbox",
            False,
            "CUDA does not start inside it, so runs on a GPU are refused"
            if only_cuda
            else "none works here, so runs are refused",
            'Install bubblewrap (apt-get install bubblewrap) and allow it user namespaces; or set `sandbox = "off"` in'
            " autolab.toml: then every result is marked as unsandboxed.",
        )
    return Finding("sandbox", True, found.kind)


def _neighbours(lab: Lab | None) -> Finding:
    """Runs on a GPU have a wall clock: what else computes there makes their scores worse."""
    others = labs_at_work(but=lab)
    if not others:
        return Finding("other labs", True, "none is at work on this machine")
    return Finding("other labs", False, f"at work on the same slots: {named(others)}", remedy(others))


def _lab(lab: Lab) -> list[Finding]:
    findings = [_daemon(lab)]
    try:
        settings = read_settings(lab.settings_file)
    except LabError as error:
        return [*findings, Finding("settings", False, error.sentence, error.remedy, True)]
    findings += [Finding("settings", True, "autolab.toml is valid"), _slots(settings)]
    target = settings.optimised()
    if isinstance(target, ScriptTarget):
        findings += [_command(target, lab.root), _seed(target, lab.root)]
    if settings.alerts.webhook_url_env is not None:
        findings.append(_webhook(settings.alerts.webhook_url_env))
    return findings + _models(settings)


def _daemon(lab: Lab) -> Finding:
    alive = daemon_of(lab)
    if alive is not None:
        return Finding("daemon", True, f"process {alive.pid}")
    if died_of := death_of(lab):
        remedy = f"The whole story is in {lab.daemon_log}; `autolab start` starts it again."
        return Finding("daemon", False, f"not running: it died of an error: {died_of}", remedy)
    return Finding("daemon", True, "not running")


def _webhook(variable: str) -> Finding:
    """Whether the URL is where it ought to be; nothing is sent."""
    if os.environ.get(variable):
        return Finding("alerts", True, f"to the webhook in {variable}")
    remedy = f"Set {variable} to the webhook's URL where the lab is started, or take alerts.webhook_url_env out."
    return Finding("alerts", False, f"{variable} is not set, so no alert is sent", remedy)


def _command(target: ScriptTarget, root: Path) -> Finding:
    """Whether what a script target starts is there."""
    sentence, remedy = what_is_missing(target, root) or ("", "")
    told = f"a script: {shlex.join(target.command)}" + (f"; {sentence[:1].lower()}{sentence[1:-1]}" if sentence else "")
    return Finding("target", not sentence, told, remedy, True)


def _seed(target: ScriptTarget, root: Path) -> Finding:
    """Whether a script looks at the seed that it is assigned, by its text."""
    if reads_seed(target, root):
        return Finding("seed", True, f"the program reads {SEED_VARIABLE}")
    return Finding("seed", False, SEED_UNREAD, f"{target.seeding[:1].upper()}{target.seeding[1:]}; commit that.")


def _models(settings: Settings) -> list[Finding]:
    """Each model; one is needed where a role of a team at work has no other that can be used."""
    found = {name: _model(name, settings) for name in sorted(settings.models)}
    silent = {name for name, finding in found.items() if not finding.ok}
    asked = [frozenset(names) for team in settings.teams_at_work for names in team.models.values()]
    needed = frozenset[str]().union(*(names for names in asked if names <= silent))
    # A built-in model without ideas of its own for a program still carries out people's.
    idle = {name for name, section in settings.models.items() if section.kind == "offline"}
    return [replace(finding, needed=name in needed - idle) for name, finding in found.items()]


def _model(name: str, settings: Settings) -> Finding:
    """What a language model can do, by one tiny exchange."""
    from orchestrator.team.models import make_model, without_ideas

    section = settings.models[name]
    if section.kind == "offline":
        remedy = without_ideas(settings)
        return Finding(f"model {name}", not remedy, "offline, rule-based, no language model", remedy)
    tiny = {
        "max_tokens": min(section.max_tokens or PROBE_TOKENS, PROBE_TOKENS),
        "longest_seconds": min(section.longest_seconds, PROBE_SECONDS),
    }
    from roles.errors import ModelError
    from roles.probe import probe

    try:
        found = asyncio.run(probe(make_model(name, section.model_copy(update=tiny), retries=0)))
    except ModelError as error:
        return Finding(f"model {name}", False, error.sentence, error.remedy)
    usable = found.tools != "none" and not (found.tools == "refused" and section.tool_mode == "native")
    remedies = [*found.remedies, *([_more_window(section)] if section.window and not section.context_tokens else [])]
    return Finding(f"model {name}", usable, f"{section.model} {found.told}", " ".join(remedies))


def _more_window(section: ModelSection) -> str:
    return (
        f"Its window is taken to be {section.window} tokens, as {section.preset} has it by default and cuts what is"
        " longer without a word. That is little for this work: start Ollama with OLLAMA_CONTEXT_LENGTH=32768, and set"
        " context_tokens = 32768."
    )

"""What a repository optimises, by its own files: the layout of karpathy/autoresearch, and Autolab's own contract.

Nothing of the repository is run. What cannot be recognised is a sentence that says which words to give.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from orchestrator.errors import LabError
from orchestrator.targets.target import Direction, NanogptTarget, ScriptTarget, Target, script_target

AUTORESEARCH_SECONDS = 300.0
"""The training budget of karpathy/autoresearch where prepare.py does not say otherwise (its README)."""
AUTORESEARCH_METRIC = r"^val_bpb:\s+(\S+)\s*$"
AUTORESEARCH_PROGRESS = r"^step \d+ \((\d+(?:\.\d+)?)%\)"
AUTORESEARCH_DATA = "~/.cache/autoresearch"
"""Where its prepare.py puts data and tokenizer (its README)."""
UV_ENVIRONMENT = "~/.cache/autoresearch/venv"
"""A run has no network to make an environment from: `UV_PROJECT_ENVIRONMENT=... uv sync` makes this one beforehand."""
HUB_CACHE = "~/.cache/huggingface/hub"
"""Of the Hub's client, where a variable does not say otherwise; a run sees of it what is named alone."""
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_PINNED = ("pyproject.toml", "uv.lock", ".python-version", "requirements.txt")
"""Files that say which packages run: a change in them is a change of the measure, not of the idea."""
_MOST_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person said of the target; None and () leave it to what is recognised. Files may be patterns (`*.py`)."""

    command: str | None = None
    editable: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    metric: str | None = None
    direction: Direction | None = None
    progress: str | None = None
    budget_seconds: float | None = None
    timeout_seconds: float | None = None

    @property
    def silent(self) -> bool:
        return self == Wishes()


@dataclass(frozen=True, slots=True)
class Recognised:
    """A proposed target, and in words what it was taken for."""

    target: Target
    taken_for: str


def recognise(directory: Path, tracked: Sequence[str], wishes: Wishes) -> Recognised:
    """The target of the repository in `directory`, whose tracked files are `tracked`; `wishes` go before what is found.

    Raises LabError with the words to give when the repository is not recognised, or when a wish cannot be.
    """
    text = _reader(directory, frozenset(tracked))
    if wishes.silent and _is_nanogpt(text):
        return Recognised(NanogptTarget(("train.py",), ("prepare.py",)), "a train.py of Autolab's training contract")
    found = _autoresearch(text, tracked)
    if found is None:
        return Recognised(_as_wished(wishes, tracked), "a script")
    return Recognised(_changed(found, wishes, tracked), "the layout of karpathy/autoresearch")


def _reader(directory: Path, tracked: frozenset[str]) -> Callable[[str], str]:
    def text(path: str) -> str:
        """A tracked plain file; empty for everything else."""
        file = directory / path
        if path not in tracked or file.is_symlink() or not file.is_file() or file.stat().st_size > _MOST_BYTES:
            return ""
        return file.read_text(encoding="utf-8", errors="replace")

    return text


def _is_nanogpt(text: Callable[[str], str]) -> bool:
    """Whether train.py offers build_model() and imports prepare as a module, as the training contract asks."""
    try:
        tree = ast.parse(text("train.py"))
    except (SyntaxError, ValueError):
        return False
    builds = any(isinstance(node, ast.FunctionDef) and node.name == "build_model" for node in tree.body)
    prepares = any(
        isinstance(node, ast.Import) and any(alias.name == "prepare" for alias in node.names) for node in ast.walk(tree)
    )
    return builds and prepares


def _autoresearch(text: Callable[[str], str], tracked: Sequence[str]) -> ScriptTarget | None:
    """train.py, prepare.py and program.md, and a train.py that prints the summary block: `---`, then `val_bpb: ...`."""
    if not all(text(path) for path in ("train.py", "prepare.py", "program.md")):
        return None
    train = text("train.py")
    if re.search(r"""["']---["'\\]""", train) is None or re.search(r"""["']val_bpb:\s""", train) is None:
        return None
    budget = _constant(text("prepare.py"), "TIME_BUDGET") or AUTORESEARCH_SECONDS
    uses_uv = "pyproject.toml" in tracked
    kernels = _kernels(train)
    return script_target(
        command=("uv", "run", "train.py") if uses_uv else ("python", "train.py"),
        editable=("train.py",),
        protected=("prepare.py", *(path for path in _PINNED if path in tracked)),
        metric=AUTORESEARCH_METRIC,
        direction=Direction.MINIMISE,
        progress=AUTORESEARCH_PROGRESS,
        budget_seconds=budget,
        timeout_seconds=_timeout(budget),
        readable=(AUTORESEARCH_DATA, *kernels),  # uv's environment is in it
        environment={**(_uv(UV_ENVIRONMENT) if uses_uv else {}), **({"HF_HUB_OFFLINE": "1"} if kernels else {})},
    )


def _timeout(budget: float) -> float:
    """Twice the budget, after which a run counts as failed by autoresearch's program.md; a short one has a minute more,
    for its start-up and its evaluation."""
    return max(2 * budget, budget + 60)


def _kernels(source: str) -> list[str]:
    """Where the kernels are kept that it loads from the Hub with `kernels.get_kernel`: a run has no network, and finds
    those that a first run outside has downloaded."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    if not any(isinstance(node, ast.Name | ast.Attribute) and _called(node) == "get_kernel" for node in ast.walk(tree)):
        return []
    words = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    names = dict.fromkeys(word.replace("/", "--") for word in words if _REPOSITORY.fullmatch(word))
    return [f"{HUB_CACHE}/{kind}--{name}" for name in names for kind in ("models", "kernels")]


def _called(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr


def _uv(environment: str) -> dict[str, str]:
    """What makes `uv run` take an environment as it is, without network and cache."""
    place = str(Path(environment).expanduser())
    return {"UV_PROJECT_ENVIRONMENT": place, "UV_NO_SYNC": "1", "UV_NO_CACHE": "1", "UV_OFFLINE": "1"}


def _constant(source: str, name: str) -> float | None:
    """A positive number that a module assigns to `name` at its top."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    for node in tree.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Constant):
            continue
        if any(isinstance(place, ast.Name) and place.id == name for place in node.targets):
            value = node.value.value
            if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
                return float(value)
    return None


def _as_wished(wishes: Wishes, tracked: Sequence[str]) -> ScriptTarget:
    needed = {
        "--target-command 'python train.py'": wishes.command,
        "--target-editable train.py": wishes.editable,
        "--target-metric '^val_loss: (\\S+)'": wishes.metric,
        "--target-budget 300": wishes.budget_seconds,
    }
    missing = [option for option, value in needed.items() if not value]
    if missing:
        raise LabError(
            "The repository is not laid out like karpathy/autoresearch (train.py that prints val_bpb after ---,"
            " prepare.py, program.md), so the target must be told."
            if wishes.silent
            else "What is said of the target is not all of it.",
            f"Add {', '.join(missing)}; --target-direction maximise where more is better.",
        )
    assert wishes.command is not None and wishes.metric is not None and wishes.budget_seconds is not None
    editable = matching("editable", wishes.editable, tracked)
    pinned = tuple(path for path in _PINNED if path in tracked and path not in editable)
    return script_target(
        command=_words(wishes.command),
        editable=editable,
        protected=matching("protected", wishes.protected, tracked, but=editable) if wishes.protected else pinned,
        metric=wishes.metric,
        direction=wishes.direction or Direction.MINIMISE,
        progress=wishes.progress or "",
        budget_seconds=wishes.budget_seconds,
        timeout_seconds=wishes.timeout_seconds or _timeout(wishes.budget_seconds),
    )


def _changed(found: ScriptTarget, wishes: Wishes, tracked: Sequence[str]) -> ScriptTarget:
    """What was recognised, with the wishes over it."""
    editable = matching("editable", wishes.editable, tracked) if wishes.editable else found.editable
    protected = matching("protected", wishes.protected, tracked, but=editable) if wishes.protected else found.protected
    progress = wishes.progress if wishes.progress is not None else found.progress.pattern if found.progress else ""
    budget = wishes.budget_seconds or found.budget_seconds
    return script_target(
        command=_words(wishes.command) if wishes.command is not None else found.command,
        editable=editable,
        protected=tuple(path for path in protected if path not in editable),
        metric=wishes.metric if wishes.metric is not None else found.metric.pattern,
        direction=wishes.direction or found.direction,
        progress=progress,
        budget_seconds=budget,
        timeout_seconds=wishes.timeout_seconds or _timeout(budget),
        readable=found.readable,
        environment=found.environment,
    )


def _words(command: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(command))
    except ValueError as error:
        raise LabError(f"The command {command!r} cannot be read ({error}).", "Close its quotes.") from error


def matching(key: str, patterns: Iterable[str], tracked: Sequence[str], but: Sequence[str] = ()) -> tuple[str, ...]:
    """The tracked files that the patterns mean, in the order of the patterns; `*` does not stop at a slash.

    A file that an explicit `but` names is left out where a pattern with wildcards would take it. Raises LabError for a
    pattern that means no tracked file.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        hits = [path for path in tracked if path == pattern or fnmatchcase(path, pattern)]
        if not hits:
            raise LabError(
                f"No file of the repository's last commit is called {pattern!r} (target.{key}).",
                "Commit it there first, or correct the name.",
            )
        wild = pattern not in hits
        found.update(dict.fromkeys(path for path in hits if not (wild and path in but)))
    return tuple(found)

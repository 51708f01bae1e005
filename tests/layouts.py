"""Small repositories to start a lab from: one laid out like karpathy/autoresearch, one of an other kind."""

from __future__ import annotations

import subprocess
from pathlib import Path

TRAIN = '''"""Trains for TIME_BUDGET seconds and says how well."""
from prepare import TIME_BUDGET

RATE = 0.04


def main():
    print(f"\\rstep {9:05d} ({100.0:.1f}%) | loss: {2.5:.6f} | remaining: 0s    ", end="", flush=True)
    print()
    print("---")
    print(f"val_bpb:          {1 + (RATE - 0.03) ** 2:.6f}")
    print(f"training_seconds: {TIME_BUDGET:.1f}")
    print(f"peak_vram_mb:     {45060.2:.1f}")


main()
'''
AUTORESEARCH = {
    "train.py": TRAIN,
    "prepare.py": '"""Fixed."""\nMAX_SEQ_LEN = 2048\nTIME_BUDGET = 300  # seconds\n',
    "program.md": "# autoresearch\nLower val_bpb.\n",
    "pyproject.toml": '[project]\nname = "autoresearch"\nversion = "0"\n',
    "uv.lock": "version = 1\n",
    ".gitignore": "results.tsv\n",
}
OTHER = {
    "src/fit.py": "print('epoch 3/4')\nprint('accuracy = 0.91')\n",
    "src/model.py": "DEPTH = 3\n",
    "data/test.csv": "1,2\n",
    "README": "mine\n",
}


def git(root: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True).stdout.strip()


def make_repository(root: Path, files: dict[str, str], branch: str = "main") -> Path:
    """A git repository with two commits on `branch`, the second of `files`."""
    root.mkdir(parents=True)
    git(root, "init", "-q", "-b", branch)
    git(root, "config", "user.name", "Somebody")
    git(root, "config", "user.email", "somebody@example.org")
    (root / "first").write_text("1\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "The first commit")
    (root / "first").unlink()
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "add", "-A", "-f")
    git(root, "commit", "-qm", "The second commit")
    return root


def tracked(root: Path) -> list[str]:
    return git(root, "ls-files").splitlines()

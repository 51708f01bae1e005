"""The recorder: what it answered is on the disk, repeating changes nothing, and its death is nobody's loss."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.tracking.curve import MOST_POINTS, points_of, rows_of
from orchestrator.tracking.dictation import Dictation, NotWritten
from orchestrator.tracking.project import accepted_name
from orchestrator.tracking.surroundings import surroundings
from tests.conftest import eventually
from tests.tracking.bench_lab import rows_in

BEGAN = "2026-01-01T00:00:00.000Z"


def points(*steps: int) -> dict[str, object]:
    """An order for points of the run fleet."""
    made = [{"at": BEGAN, "step": step, "values": {"fleet/active_runs": step % 3}} for step in steps]
    return {"do": "fleet", "points": made, "config": {"lab": "x"}, "began": BEGAN}


def a_run(metrics: Path) -> dict[str, object]:
    return {
        "do": "run",
        "run_id": 7,
        "name": "exp-3-screen-seed1-run7",
        "group": "screen",
        "metrics": str(metrics),
        "config": {"experiment": 3},
        "began": BEGAN,
        "ended": "2026-01-01T00:00:20.000Z",
        "final": {"val_bpb": 2.5, "outcome": "scored", "steps": None},
    }


def test_a_run_ordered_twice_is_one_run_with_its_curve_and_its_end(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    lines = [{"step": n, "loss": 5 - n, "seconds": n * 2.0, "time": 9} for n in range(3)]
    metrics.write_text("".join(json.dumps(line) + "\n" for line in lines))

    async def play() -> None:
        dictation = Dictation(Lab(tmp_path), "mein Läb")
        await dictation.order(a_run(metrics))
        await dictation.order(a_run(metrics))
        await dictation.close()

    asyncio.run(play())
    rows = rows_in(tmp_path, "metrics", "run-7")
    assert [row["step"] for row in rows] == [0, 1, 2, 2]
    assert json.loads(rows[1]["metrics"]) == {"loss": 4.0, "seconds": 2.0, "__time": 9.0}  # as trackio.log renames it
    assert json.loads(rows[3]["metrics"]) == {"val_bpb": 2.5, "outcome": "scored"}
    assert [row["timestamp"][11:19] for row in rows] == ["00:00:00", "00:00:02", "00:00:04", "00:00:20"]


def test_a_recorder_killed_in_the_middle_of_an_order_costs_no_row_and_doubles_none(tmp_path: Path) -> None:
    async def play() -> None:
        dictation = Dictation(Lab(tmp_path), "lab")
        await dictation.order(points(1, 2))
        first = dictation.pid
        assert first is not None
        order = asyncio.create_task(dictation.order(points(*range(2, 3000))))
        await asyncio.sleep(0.02)  # wherever it stands by now
        os.kill(first, signal.SIGKILL)
        with pytest.raises(LabError, match="has ended"):
            await order
        await dictation.order(points(*range(2, 3000)))
        assert dictation.pid != first
        await dictation.close()

    asyncio.run(play())
    assert [row["step"] for row in rows_in(tmp_path, "metrics", "fleet")] == list(range(1, 3000))


def test_a_recorder_that_hangs_is_killed_after_its_time_and_another_takes_over(tmp_path: Path) -> None:
    async def play() -> None:
        dictation = Dictation(Lab(tmp_path), "lab", seconds=20)
        await dictation.order(points(1))
        dictation._seconds = 0.3
        assert dictation.pid is not None
        hanging = psutil.Process(dictation.pid)
        hanging.suspend()
        with pytest.raises(LabError, match="within"):
            await dictation.order(points(2))
        assert not hanging.is_running()
        dictation._seconds = 20
        await dictation.order(points(2))
        await dictation.close()

    asyncio.run(play())
    assert len(rows_in(tmp_path, "metrics", "fleet")) == 2


def test_an_order_that_cannot_be_carried_out_is_answered_and_the_next_one_is_carried_out(tmp_path: Path) -> None:
    async def play() -> None:
        dictation = Dictation(Lab(tmp_path), "lab")
        with pytest.raises(NotWritten, match="KeyError"):
            await dictation.order({"do": "dance"})
        await dictation.order(points(1))
        await dictation.close()

    asyncio.run(play())


def test_the_recorder_goes_when_its_daemon_is_killed(tmp_path: Path) -> None:
    daemon = (
        "import asyncio, os, signal, sys\n"
        "from pathlib import Path\n"
        "from orchestrator.lab import Lab\n"
        "from orchestrator.tracking.dictation import Dictation\n"
        "async def play():\n"
        "    dictation = Dictation(Lab(Path(sys.argv[1])), 'lab')\n"
        "    try: await dictation.order({'do': 'dance'})\n"
        "    except Exception: pass\n"
        "    print(dictation.pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(play())\n"
    )
    made = subprocess.run([sys.executable, "-c", daemon, str(tmp_path)], capture_output=True, text=True, check=False)
    assert made.returncode == -signal.SIGKILL, made.stderr
    eventually(lambda: not psutil.pid_exists(int(made.stdout)), 20, "the end of the recorder")


def test_a_lab_that_is_deleted_while_its_recorder_writes_is_not_made_anew(tmp_path: Path) -> None:
    lab, metrics = tmp_path / "lab", tmp_path / "metrics.jsonl"
    lab.mkdir()
    Lab(lab).database.touch()  # directories that are made anew may have the inodes of those before
    os.mkfifo(metrics)  # it is read where the order is being carried out

    async def play() -> None:
        dictation = Dictation(Lab(lab), "lab")
        writing = asyncio.create_task(dictation.order(a_run(metrics)))
        with await asyncio.to_thread(metrics.open, "w") as curve:
            shutil.rmtree(lab)
            curve.write(json.dumps({"step": 1, "loss": 5.0, "seconds": 1.0, "time": 9}) + "\n")
        await asyncio.wait([writing])
        await dictation.close()

    asyncio.run(play())
    assert not lab.exists()


def test_a_recorder_that_is_killed_at_its_work_leaves_nothing_of_a_deleted_lab(tmp_path: Path) -> None:
    lab, metrics = tmp_path / "lab", tmp_path / "metrics.jsonl"
    lab.mkdir()
    Lab(lab).database.touch()  # directories that are made anew may have the inodes of those before
    os.mkfifo(metrics)

    async def play() -> None:
        dictation = Dictation(Lab(lab), "lab")
        writing = asyncio.create_task(dictation.order(a_run(metrics)))
        with await asyncio.to_thread(metrics.open, "w"):
            shutil.rmtree(lab)
            Lab(lab).trackio.mkdir(parents=True)  # as Trackio does
            (Lab(lab).trackio / "lab.db").touch()
            writing.cancel()
            await asyncio.wait([writing])
        assert not lab.exists()

    asyncio.run(play())


def test_neither_a_key_nor_a_way_out_reaches_trackio(tmp_path: Path) -> None:
    given = {
        "PATH": "/bin",
        "HF_TOKEN": "secret",
        "HOOK": "https://secret",
        "TRACKIO_SPACE_ID": "me/mine",
        "TRACKIO_SERVER_URL": "https://far",
        "TRACKIO_WEBHOOK_URL": "https://far",
        "GRADIO_SHARE": "true",
        "TRACKIO_COLOR_PALETTE": "#123456",
    }
    kept = surroundings(tmp_path, given, without=["HOOK"])
    assert set(kept) & set(given) == {"PATH", "TRACKIO_COLOR_PALETTE"}
    assert (kept["HF_HUB_OFFLINE"], kept["TRACKIO_DIR"]) == ("1", str(tmp_path))


def test_a_name_that_trackio_keeps_for_itself_is_changed() -> None:
    assert accepted_name("mein Läb") == "mein Läb"
    for taken in ("registry-models", "my_system", "x_artifacts"):
        assert accepted_name(taken) == f"lab-{taken}-lab" == accepted_name(accepted_name(taken))


def test_a_long_curve_is_thinned_and_a_damaged_one_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(f'{{"step": {n}, "loss": 1.0}}\n' for n in range(5001)) + '[1]\n{"step": "x"}\n{"st')
    found = points_of(path)
    assert len(found) <= MOST_POINTS + 1 and (found[0]["step"], found[-1]["step"]) == (0, 5000)
    assert points_of(tmp_path / "none") == []
    (only,) = rows_of(tmp_path / "none", BEGAN, BEGAN, {"outcome": "crash", "val_bpb": None})
    assert only.values == {"outcome": "crash"}

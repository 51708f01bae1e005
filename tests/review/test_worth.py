"""What a win is still worth is told with the master that it was measured on."""

from __future__ import annotations

import json
from pathlib import Path

from orchestrator.measurement.judging import Judging
from orchestrator.patches.reverting import ablate
from orchestrator.review.wins import Win, wins_of, worth
from orchestrator.store.records import RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Writer
from tests.command_line import autolab
from tests.tui.answering import context_of
from tests.tui.test_reverts import ADA, take_out
from tests.tui.test_wins import make_wins, measure


async def first_win(store: Writer) -> Win:
    return (await wins_of(store))[0]


async def test_a_measurement_without_a_win_says_of_which_master_it_is(tmp_path: Path) -> None:
    lab = await make_wins(tmp_path / "lab")
    async with Writer(lab.database) as store:
        context = context_of(lab, store)
        win = await first_win(store)
        await ablate(context, win.experiment, ADA)
        assert worth(await first_win(store)) == "3 without it ready"
        await measure(store, 3, [RunKind.SCREEN], 3.6)
        await store.move(3, State.SCORED, "scored")
        await Judging(context).judge()
        win = await first_win(store)
        assert worth(win).startswith("worth +0.39") and worth(win).endswith(" by now (3)")
        reviewed = json.loads(autolab("review", str(lab.root), "--json").stdout)
        assert [one["on"] for one in reviewed[0]["measured_without"]] == [2]

        await take_out(context, 1, 4)
        win = await first_win(store)
        assert [one.where for one in win.left_out] == ["on master 2"], "master is another one now"
        assert worth(win).startswith("was worth +0.39") and worth(win).endswith(" (3)")

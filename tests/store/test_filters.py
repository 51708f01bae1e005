"""What a person types to see fewer rows: understood, or answered with one sentence and a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import LabError
from orchestrator.store.filters import COLUMNS, EVERYTHING, understood
from orchestrator.store.records import RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Proposal, Writer


@pytest.mark.parametrize(
    ("text", "sentence", "remedy"),
    [
        ("colour=red", "There is no column `colour`.", "/colour=red"),
        ("stat=discarded", "There is no column `stat`.", "Did you mean `state`?"),
        ("delta<abc", "`delta` holds numbers, and `abc` is none.", "delta<0"),
        ("state=discard", "There is no state `discard`.", "Did you mean `discarded`?"),
        ("title<5", "`title` holds text, which has no <.", "title~5"),
        ("delta~5", "`delta` holds numbers, which contain nothing.", "delta<5"),
        ("age<soon", "`soon` is no age.", "age<20min"),
        ("wide <0", "`<0` has no column before it.", "/<0"),
        ("delta<", "`delta<` compares with nothing.", "column, sign, value"),
        ("delta<none", "`delta<none` compares with nothing.", "delta=none"),
        ('title~"open', "The quotes of the filter do not match.", "Close the quote"),
        ("sort=colour", "There is no column `colour`.", "There are: id, state"),
    ],
)
def test_what_is_not_understood_is_told_with_a_remedy(text: str, sentence: str, remedy: str) -> None:
    with pytest.raises(LabError) as told:
        understood(text)
    assert told.value.sentence == sentence and remedy in told.value.remedy


def test_a_filter_keeps_what_was_typed_apart_from_the_order() -> None:
    wanted = understood('state=discarded "two words" sort=-delta')
    assert (wanted.text, wanted.sort, wanted.descending) == ('state=discarded "two words"', "delta", True)
    assert understood(wanted.text).terms == wanted.terms
    assert understood("") == EVERYTHING and understood("sort=±").sort == "error"


@pytest.mark.parametrize(
    ("apart", "together"),
    [
        ("delta <0", "delta<0"),
        ("muon delta < 0", "muon delta<0"),
        ("val_bpb>= 2.5 sort = -delta", "val_bpb>=2.5 sort=-delta"),
        ("state = given up", "state=given_up"),
        ("age <2h", "age<2h"),
        ("title ~muon", "title ~muon"),  # a word, and a title with letters left out
    ],
)
def test_a_column_its_sign_and_its_value_may_stand_apart(apart: str, together: str) -> None:
    assert understood(apart) == understood(together)


@given(st.text(max_size=30))
def test_whatever_is_typed_is_understood_or_refused_in_words(text: str) -> None:
    try:
        sql, values = understood(text).condition(0.01)
    except LabError as error:
        assert error.sentence and error.remedy
    else:
        assert sql.count("?") == len(values)


async def test_filters_find_what_they_say(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store:
        await store.add_start("aaa", "start", "the start")
        for title, team, score, runs in (
            ("Rotary base", "a", 2.5, 2),
            ("Muon 50%", "a", 2.7, 1),
            ("RMSNorm", "b", 2.6, 1),
        ):
            made = await store.add_experiment(
                Proposal(title, "it may help", "arXiv:2104.09864"), author="ada", team=team
            )
            await store.move(made.id, State.QUEUED, "planned")
            await store.move(made.id, State.READY, "approved", parent="aaa", commit_id=title, branch="b")
            for seed in range(1, runs + 1):
                ready = await store.experiment(made.id)
                assert ready is not None
                run = await store.begin_run(
                    ready, RunKind.SCREEN if seed == 1 else RunKind.CONFIRM, seed, Place("cpu0", "a core", "off"), title
                )
                await store.end_run(run.id, Measurement("scored", "scored", score))
                if seed == 1:
                    await store.move(made.id, State.SCORED, "scored")
                    await store.move(made.id, State.CONFIRMING, "again")
            await store.move(made.id, State.NOT_CONFIRMED, "no gain")
        waits = await store.add_experiment(Proposal("Waits", "hope", "own"), author="bob", team="b")

        async def found(text: str) -> list[int]:
            return sorted(e.id for e in await store.results(only=understood(text), noise=0.01))

        for text, expected in (
            ("", [0, 1, 2, 3]),
            ("state=not_confirmed", [1, 2, 3]),
            ('state!="not confirmed"', [0]),
            ("state=not confirmed", [1, 2, 3]),
            ("muon state=promoted,not confirmed gain", [2]),
            ("state=promoted confirmed", []),
            ("state=promoted,not_confirmed team=A", [1, 2]),
            ("val_bpb>2.5", [2, 3]),
            ("score<=2.6 team=b", [3]),
            ("val_bpb=none", [0]),
            ("±<0.008", [1]),
            ("runs>=2", [1]),
            ("~rtry", [1]),
            ("~mn0", [2]),
            ("title~50%", [2]),
            ("title~5%0", []),
            ("source=arXiv*", [1, 2, 3]),
            ("muon gain", [2]),
            ("'muon gain'", []),
            ("age<1h", [0, 1, 2, 3]),
            ("age>1h", []),
            ("by=ada id<3 id>1", [2]),
            ("/a=b", []),
            ("believed<0", []),
            ("believed=none", [0, 1, 2, 3]),
        ):
            assert await found(text) == expected, text
        store.believes({1: 0.02, 2: -0.01, 3: 0.05})  # gains; the column has the sign of `delta`
        assert await found("believed<0") == [1, 3] and await found("believed<=-0.05 team=b") == [3]
        assert [e.id for e in await store.results(sort="believed", descending=False)] == [3, 1, 2, 0]
        assert [e.id for e in await store.results(sort="believed", descending=True)] == [2, 1, 3, 0]
        assert await store.queue(understood("believed<0")) == []
        for column in COLUMNS:
            for descending in (False, True):
                assert len(await store.results(sort=column, descending=descending)) == 4
        assert [e.id for e in await store.results(sort="val_bpb", descending=False)] == [1, 3, 2, 0]
        assert [e.id for e in await store.results(sort="val_bpb", descending=True)] == [2, 3, 1, 0]
        assert [e.id for e in await store.queue(understood("by=bob"))] == [waits.id]
        assert await store.queue(understood("by=ada")) == []

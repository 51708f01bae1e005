"""What is read of the store, and when."""

from __future__ import annotations

from pathlib import Path

from orchestrator.store.filters import EVERYTHING, understood
from orchestrator.store.reader import Reader
from orchestrator.store.writer import Writer
from tests.tui.lab_maker import make_lab
from tui.watch import Watch


async def test_nothing_is_read_again_while_nothing_has_changed(tmp_path: Path) -> None:
    lab = await make_lab(tmp_path / "lab", 12)
    async with Reader(lab.database) as reader, Writer(lab.database) as writer:
        watch = Watch(lab, reader)
        first = await watch.look()
        assert first is not None and await watch.look() is None
        assert first.daemon is None and len(first.story.running) == 2 and first.story.waiting == 6
        assert [slot.phase for slot in first.slots] == ["training", "training"]
        assert first.story.baseline.gain is not None and first.story.baseline.gain > 0.3

        await writer.set_slot("cpu0", progress=0.7)
        second = await watch.look()
        assert second is not None and second.slots[0].progress == 0.7
        assert second.story is first.story, "a reading of a slot tells no story"

        await writer.event("lab", "ada@box", "something happened")
        third = await watch.look()
        assert third is not None and third.story.last_event is not None
        assert third.story.last_event.reason == "something happened"


async def test_a_wish_filters_and_sorts(tmp_path: Path) -> None:
    lab = await make_lab(tmp_path / "lab", 12)
    async with Reader(lab.database) as reader:
        watch = Watch(lab, reader)
        watch.wants(results=understood("rotary"), queue=understood("rotary"))
        found = await watch.look()
        assert found is not None and [e.title for e in found.story.results] == ["Rotary position embedding"]
        assert found.story.measured > 1 and len(found.story.queue) == 1 < found.story.waiting
        watch.wants(results=EVERYTHING, sort="val_bpb", descending=False)
        ordered = await watch.look()
        assert ordered is not None
        scores = [e.val_bpb for e in ordered.story.results if e.val_bpb is not None]
        assert scores == sorted(scores)

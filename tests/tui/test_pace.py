"""When a frame is painted, and what of it is written."""

from __future__ import annotations

import pyte
import pytest
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.pace import Pace
from tui.shadow import Shadow


def test_of_a_frame_only_what_differs_is_written() -> None:
    console = Console(force_terminal=True, color_system="truecolor", width=40)
    shadow = Shadow()

    def write(text: str, style: str = "red") -> str:
        return shadow.write(0, 0, Strip([Segment(text, Style.parse(style))]), console)

    terminal = pyte.Screen(40, 1)
    stream = pyte.Stream(terminal)
    wide = ("loss 宽字 at step 1017xyz", "loss 宽x  at step 1017xyz")
    for text in ("loss 2.5000 at step 100", "loss 2.4999 at step 101", *wide):
        stream.feed(write(text))
        assert terminal.display[0].rstrip() == text, "the terminal shows what was meant"
    assert write("loss 宽x  at step 1017xyz") == ""
    assert len(write("loss 宽x  at step 1018xyz")) < 40
    assert "1018" in write("loss 宽x  at step 1018xyz", "blue")
    shadow.forget()
    assert "loss" in write("loss 宽x  at step 1018xyz", "blue")


def test_the_pace_lets_keys_through_and_streams_only_onto_a_free_line() -> None:
    pace = Pace(rest=0.2)
    assert pace.wait(0.0) == 0.0
    pace.painted(0.0, 3000)
    assert pace.wait(0.0) > 0, "nothing streams while a frame is under way"
    pace.answered(0.01)
    assert pace.wait(0.01) == pytest.approx(0.19), "and then it rests"
    pace.touched(0.05)
    assert pace.wait(0.05) == 0.0, "but a key is answered at once"
    pace.painted(0.06, 3000)
    pace.answered(0.37)  # 300 ms more than the first: 10 kB/s
    assert pace.rate == pytest.approx(10_000, rel=0.05)
    pace.painted(1.0, 2500)
    pace.touched(1.0)
    assert pace.wait(1.0) > 0, "on a thin line even a key waits while more is under way than an eighth of a second"
    pace.answered(1.26)
    assert pace.wait(1.31) == pytest.approx(0.69, abs=0.05), "and what streams takes a quarter of it"


def test_a_lost_answer_does_not_stop_the_painting_for_good() -> None:
    pace = Pace()
    pace.painted(0.0, 100)
    pace.drained(0.01)
    assert pace.underway == 0, "of a terminal that has never answered, the kernel's word is taken"
    pace.painted(1.0, 100)
    pace.answered(1.01)
    pace.painted(2.0, 100)
    pace.drained(2.01)
    assert pace.underway == 100 and not pace.silent(4.0)
    assert pace.silent(5.1), "it is asked again"

"""Logs shown to people, terminals and agents: inert, by offset, in bounded pieces."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.runs.log_text import LONGEST_LINE, inert, read_lines, read_log


def test_terminal_sequences_are_inert() -> None:
    hostile = "\x1b[2J\x1b]0;title\x07red \x1b[31mtext\x1b[0m\x9b1mx\x00\x08\x1bc\u202etrojan\U000e0041\ud800\n"
    assert inert(hostile) == "red textxtrojan\ufffd\n"
    assert inert("10%\r20%\r\n") == "10%\n20%\n"


def test_a_sequence_that_never_ends_takes_its_line_and_no_more() -> None:
    assert inert("one\n\x1b]0;title\nnext\n\x1bP1\nlast") == "one\n\nnext\n\nlast"


@given(st.text(alphabet=st.sampled_from("\x1b[]P_^X0;1m?h\x07\\\x9b\x9c\r\n\tab\u202e\x7f\u2028")))
def test_whatever_is_printed_nothing_of_it_controls_a_terminal(text: str) -> None:
    shown = inert(text)
    assert all(character.isprintable() or character in "\n\t" for character in shown)
    assert inert(shown) == shown


def test_a_log_is_read_by_offset_and_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert read_lines(path).lines == []
    path.write_bytes(b"one\n\ntwo\nthr")
    piece = read_lines(path)
    assert piece.lines == ["one", "", "two"]
    with path.open("ab") as file:
        file.write(b"ee\nfour\n")
    assert read_lines(path, piece.offset).lines == ["three", "four"]
    assert read_lines(path, None, most=6).lines == ["four"]
    path.write_bytes(b"anew\n")
    assert read_lines(path, 999).lines == ["anew"]


def test_a_line_of_megabytes_is_folded(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x" * (2 * LONGEST_LINE + 1) + b"\nend\n")
    assert [len(line) for line in read_lines(tmp_path / "log").lines] == [LONGEST_LINE, LONGEST_LINE, 1, 3]


@pytest.mark.parametrize("kind", ["pipe", "link", "directory"])
def test_a_log_that_is_no_plain_file_is_not_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "log"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "link":
            path.symlink_to("/etc/passwd")
        case _:
            path.mkdir()
    assert read_lines(path).lines == [] and read_log(path) == ""

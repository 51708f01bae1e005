"""results.tsv of karpathy/autoresearch: read row by row, every broken row told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import LabError
from orchestrator.history import LONGEST_DESCRIPTION, EarlierResult, Status, idea_of, parse_results, read_results

HEADER = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"
SAMPLE = Path(__file__).parent / "results.tsv"


def rows(*lines: str) -> list[EarlierResult]:
    return parse_results(HEADER + "".join(line.replace("|", "\t") + "\n" for line in lines))


def test_a_sample_is_read_with_its_scores_and_crashes() -> None:
    found = parse_results(SAMPLE.read_text())
    assert [one.status for one in found] == ["keep", "keep", "discard", "crash", "keep"]
    assert found[0] == EarlierResult("baseline", 1.21, 4.0, Status.KEEP, "baseline")
    assert found[3].score is None and found[3].memory_gb == 0


def test_line_ends_of_another_system_blank_lines_and_a_byte_order_mark_do_no_harm() -> None:
    text = "\ufeff" + SAMPLE.read_text().replace("\n", "\r\n") + "\r\n\n"
    assert parse_results(text) == parse_results(SAMPLE.read_text())


def test_a_file_with_a_header_alone_has_no_rows() -> None:
    assert parse_results(HEADER) == []


@pytest.mark.parametrize(
    ("line", "words", "remedy"),
    [
        ("bea057b 0.98 43.9 keep halve the batch", "Line 3 has 1 of 5 columns (are there spaces", "tabs"),
        ("bea057b|0.98|43.9|keep", "Line 3 has 4 of 5 columns.", "tabs"),
        ("bea057b|0.98|43.9|keep|a|b", "Line 3 has 6 of 5 columns.", "tabs"),
        ("|0.98|43.9|keep|a", "Line 3 has nothing as its commit", "short hash"),
        ("not a hash|0.98|43.9|keep|a", "Line 3 has 'not a hash' as its commit", "short hash"),
        ("bea057b|good|43.9|keep|a", "Line 3 has 'good' as val_bpb", "0 stands for a crash"),
        ("bea057b|nan|43.9|keep|a", "Line 3 has 'nan' as val_bpb", "number"),
        ("bea057b|-1|43.9|keep|a", "Line 3 has '-1' as val_bpb", "number"),
        ("bea057b|0.98|much|keep|a", "Line 3 has 'much' as memory_gb", "gigabytes"),
        ("bea057b|0.98|43.9|kept|a", "Line 3 has the status 'kept'", "keep, discard, crash"),
        ("bea057b|0.0|43.9|keep|a", "Line 3 has the status keep and a val_bpb of 0", "crash has 0"),
        ("bea057b|0.98|43.9|crash|a", "Line 3 has the status crash and a val_bpb of 0.98", "crash has 0"),
        ("bea057b|0.98|43.9|keep| ", "Line 3 has no description", "what was tried"),
    ],
)
def test_a_broken_row_is_told_with_its_line_and_the_remedy(line: str, words: str, remedy: str) -> None:
    with pytest.raises(LabError) as told:
        rows("baseline|0.99|44.0|keep|baseline", line)
    assert told.value.sentence.startswith(words) and remedy in told.value.remedy


def test_broken_rows_are_told_all_at_once_and_five_at_most() -> None:
    with pytest.raises(LabError) as told:
        rows("a|0.99|44.0|keep|fine", "b|0.98|43.9|kept|a", "c|good|43.9|keep|a", "d|0.98|much|keep|a")
    assert told.value.sentence == (
        "Line 3 has the status 'kept'; line 4 has 'good' as val_bpb; line 5 has 'much' as memory_gb."
    )
    assert told.value.remedy == (
        "It is one of: keep, discard, crash. Write a number; 0 stands for a crash. Write gigabytes, as in 44.0."
    )
    with pytest.raises(LabError) as told:
        rows(*["b|0.98|43.9|kept|a"] * 12)
    assert "line 6 has" in told.value.sentence and "line 7" not in told.value.sentence
    assert told.value.sentence.endswith("; and 7 more.") and told.value.remedy.count("one of") == 1


def test_a_file_without_the_header_is_told_with_its_name() -> None:
    with pytest.raises(LabError, match=r"my.tsv: line 1 is not the header"):
        read_results("commit,val_bpb\n1,2\n", "my.tsv")
    with pytest.raises(LabError, match="it is nothing"):
        parse_results("")


def test_what_a_description_hides_is_taken_out_and_a_long_one_is_cut() -> None:
    [hidden, long] = rows("a1|1|1|keep|\x1b[2Jwide\u202e r\U000e0041 model", f"a2|1|1|keep|{'x' * 9999}")
    assert hidden.description == "wide r model"
    assert len(long.description) == LONGEST_DESCRIPTION


@given(st.text(alphabet="\t\n\r 01.ekptdiscardrash-\x1b\u2028é", max_size=200))
def test_whatever_a_file_holds_it_is_read_or_told(text: str) -> None:
    try:
        found = parse_results(HEADER + text)
    except LabError as error:
        assert error.sentence.startswith("Line ") and error.remedy
    else:
        assert len(found) <= text.count("\n") + 1


def test_two_ways_of_writing_one_idea_are_the_same_idea() -> None:
    assert idea_of("RoPE base-frequency: 10K to 200K") == idea_of("rope base frequency 10k to 200K.")
    [row] = rows("a1|1|1|discard|softcap 15 to 20 (worse)")
    assert idea_of("Softcap 15 to 20") in row.ideas and idea_of("softcap 15 to 20 (worse)") in row.ideas


@pytest.mark.parametrize(
    ("one", "other"),
    [("shift -0.5", "shift 0.5"), ("rate .5", "rate 5"), ("rate 1e-3", "rate 1e3"), ("depth 9", "depth 10")],
)
def test_other_numbers_are_other_ideas(one: str, other: str) -> None:
    assert idea_of(one) != idea_of(other)


REAL = Path(__file__).parents[3] / "shared" / "data" / "autoresearch_h100_mar8.tsv"


@pytest.mark.skipif(not REAL.exists(), reason="the real file is not here")
def test_a_real_file_is_read_to_the_end() -> None:
    found = parse_results(REAL.read_text())
    assert len(found) == 126
    assert [sum(one.status is status for one in found) for status in Status] == [23, 102, 1]
    assert min(one.score for one in found if one.score is not None) == 0.969686


def test_a_lab_that_maximises_reads_the_scores_below_zero_that_it_exports() -> None:
    text = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\nbea057b\t-0.93\t1.0\tkeep\tstart\n"
    (row,) = read_results(text, "results.tsv", maximised=True)
    assert row.score == -0.93
    with pytest.raises(LabError, match="as val_bpb"):
        read_results(text, "results.tsv")


def test_a_lab_that_maximises_refuses_a_score_whose_sign_nobody_has_changed() -> None:
    header = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"
    with pytest.raises(LabError) as told:
        parse_results(header + "bea057b\t0.93\t1.0\tkeep\tstart\n", maximised=True)
    assert "this lab maximises: it keeps scores with their sign changed" in told.value.sentence
    assert "minus sign" in told.value.remedy
    exported = header + "bea057b\t12.5\t1.0\tkeep\tA reward below zero [self-reported, sign changed]\n"
    (row,) = parse_results(exported, maximised=True)
    assert row.score == 12.5


@pytest.mark.parametrize("marks", ["", " [self-reported]", " [unsandboxed] [self-reported, sign changed]", " [pruned]"])
def test_marks_that_an_export_puts_behind_a_title_make_no_other_idea_of_it(marks: str) -> None:
    [row] = rows(f"a1|1|1|keep|Wider MLP (slow){marks}")
    assert row.ideas == (idea_of("Wider MLP (slow)"), idea_of("wider mlp"))

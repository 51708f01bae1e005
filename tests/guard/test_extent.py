"""How large a program is: by what it says, not by how it is written."""

from __future__ import annotations

from orchestrator.guard.extent import extent, smaller

PROGRAM = {"train.py": 'def f(rate):\n    """Doc."""\n    total = rate * 2\n    return total + 1\n'}


def changed(old: str, new: str) -> dict[str, str]:
    assert old in PROGRAM["train.py"]
    return {"train.py": PROGRAM["train.py"].replace(old, new)}


def test_comments_docstrings_layout_names_and_annotations_make_no_program_smaller() -> None:
    for old, new in (
        ('    """Doc."""\n', ""),
        ("total = rate * 2\n    return", "total = rate * 2; return"),
        ("rate", "r"),
        ("total = rate * 2\n", "total = rate * 2  # twice\n"),
    ):
        assert smaller(PROGRAM, changed(old, new)) is None and smaller(changed(old, new), PROGRAM) is None, old
    assert smaller(changed("(rate)", "(rate: float)"), PROGRAM) is None


def test_what_says_less_is_smaller() -> None:
    before, after = smaller(PROGRAM, changed("total = rate * 2\n    return total + 1", "return rate * 2 + 1")) or (0, 0)
    assert 0 < after < before


def test_code_that_moves_into_a_string_has_not_become_less() -> None:
    body = "a = 1\n" * 20
    assert smaller({"train.py": body}, {"train.py": f"exec({body!r})"}) is None


def test_other_files_must_stay_as_they_are_and_what_does_not_parse_has_no_size() -> None:
    assert smaller({**PROGRAM, "notes.txt": "much"}, {"train.py": "x = 1\n", "notes.txt": ""}) is None
    assert extent({"train.py": "def"}) is None and smaller(PROGRAM, {"train.py": "def"}) is None

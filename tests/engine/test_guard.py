"""The rules that a patch meets before any run."""

from __future__ import annotations

from orchestrator.guard import program_hash, refusals

GOOD = '''X = 1


def build_model():
    """A model."""
    return X


def train():
    prepare.save(build_model())
'''


def judged(after: str) -> str:
    return " ".join(refusals({"train.py": GOOD}, {"train.py": after}, contract=True))


def test_a_change_of_code_passes() -> None:
    assert judged(GOOD.replace("X = 1", "X = 2")) == ""


def test_a_patch_that_changes_nothing_is_refused() -> None:
    assert "nothing" in judged(GOOD)


def test_a_syntax_error_is_refused_with_its_line() -> None:
    assert "train.py, line 5" in judged(GOOD.replace('    """A model."""', "    return ("))


def test_comments_and_docstrings_do_not_make_a_new_program() -> None:
    assert "comments" in judged("# a thought\n" + GOOD.replace("A model.", "The model."))
    assert program_hash({"a.py": "x = 1  # one"}) == program_hash({"a.py": "x = 1\n"})
    assert program_hash({"a.py": "x = 1"}) != program_hash({"a.py": "x = 2"})


def test_the_contract_with_the_scorer_must_stay() -> None:
    assert "build_model" in judged(GOOD.replace("def build_model", "def make_model"))
    assert "save" in judged(GOOD.replace("prepare.save(build_model())", "pass"))


def test_what_does_not_parse_has_no_hash() -> None:
    assert program_hash({"a.py": "def ("}) is None

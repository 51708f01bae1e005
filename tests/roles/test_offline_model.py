"""The built-in model: its catalogue fits the shipped train.py, its tuner goes on for ever, and it plays every role."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roles.chat import Message, ToolCall
from roles.offline.catalogue import CATALOGUE, idea_of
from roles.offline.constants import constants, with_constant
from roles.offline.model import OfflineModel
from roles.offline.scripts import next_turn, smallest_edit
from roles.offline.transcript import blocks
from roles.offline.tuner import Tuner, move_of
from roles.tools import spec_of

TRAIN = (Path(__file__).parents[2] / "nanogpt" / "train.py").read_text()
ROLES = {
    "researcher": ("propose", "finish"),
    "planner": ("queue", "drop", "finish"),
    "worker": ("edit_file", "show_diff", "submit_patch", "give_up"),
    "reviewer": ("approve", "reject"),
}
BLOCK = "Experiment 5\nTitle: {title}\nSource: own\nVariable: v\nHypothesis: h\nEdit: {edit}"

STEP = """
import json, sys, types
import torch
from nanogpt import prepare
sys.modules["prepare"] = prepare
for title, source in json.load(sys.stdin):
    train = types.ModuleType("train")
    exec(compile(source, title, "exec"), train.__dict__)
    torch.manual_seed(0)
    model = train.build_model()
    tokens = torch.randint(0, 256, (2, model.sequence))
    assert model(tokens).shape == (2, model.sequence, 256), title
    changed = tokens.clone()
    changed[:, 20:] = (changed[:, 20:] + 1) % 256
    assert torch.allclose(model.eval()(tokens)[:, :20], model(changed)[:, :20], atol=1e-4), title
    optimizers = train.make_optimizers(model.train())
    first = None
    for _ in range(8):
        loss = train.loss_of(model, tokens, tokens.roll(-1, 1))
        first = first if first is not None else loss.item()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
        model.zero_grad()
    assert loss.item() < first, (title, first, loss.item())
    assert 0 <= train.rate_at(0.0) <= 1.05 and 0 <= train.rate_at(1.0) <= 1.05, title
print("all of them learn")
"""


def learn(programs: list[tuple[str, str]]) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", STEP],
        input=json.dumps(programs),
        capture_output=True,
        text=True,
        env={**os.environ, "AUTOLAB_PROFILE": "cpu", "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_the_catalogue_has_many_ideas_each_cited_and_of_its_own_title() -> None:
    assert len(CATALOGUE) >= 25
    assert len({idea.title for idea in CATALOGUE}) == len(CATALOGUE)
    for idea in CATALOGUE:
        assert re.search(r"(19|20)\d\d|arXiv", idea.source), idea.title
        assert len(idea.hypothesis) > 20 and idea.variable


def test_every_idea_applies_to_the_shipped_train_py_and_the_result_learns_and_looks_at_no_later_token() -> None:
    programs = []
    for idea in CATALOGUE:
        changed = idea.apply(TRAIN)
        assert changed is not None and changed != TRAIN, idea.title
        programs.append((idea.title, changed))
    learn(programs)


def test_ideas_build_on_each_other() -> None:
    source, taken = TRAIN, 0
    for idea in CATALOGUE:
        if idea.expected > 0 and (changed := idea.apply(source)) is not None:
            source, taken = changed, taken + 1
    assert taken >= 15
    learn([("all the hopeful ones together", source)])


def test_an_idea_that_is_in_already_does_not_apply_again() -> None:
    for idea in CATALOGUE:
        if idea.variable in ("optimiser", "position", "embeddings", "normalisation"):
            once = idea.apply(TRAIN)
            assert once is not None and (idea.apply(once) is None or idea.apply(once) != once)


def test_constants_are_found_in_both_forms_and_set_for_the_profile_alone() -> None:
    found = {constant.name: constant.value for constant in constants(TRAIN, "cpu")}
    assert found["DEPTH"] == 2 and found["LEARNING_RATE"] == pytest.approx(1e-3)
    changed = with_constant(TRAIN, "DEPTH", "5", "cpu")
    assert changed is not None
    assert {c.name: c.value for c in constants(changed, "cpu")}["DEPTH"] == 5
    assert {c.name: c.value for c in constants(changed, "gpu")}["DEPTH"] == {
        c.name: c.value for c in constants(TRAIN, "gpu")
    }["DEPTH"]
    assert with_constant(TRAIN, "NO_SUCH", "1", "cpu") is None


def test_the_tuner_never_repeats_itself_and_keeps_to_values_that_can_run() -> None:
    tuner = Tuner(TRAIN, "cpu", seed=0)
    taken: set[str] = set()
    history: list[dict[str, object]] = []
    for number in range(12):
        [move] = tuner.next_moves(1, history, taken)
        assert move_of(move.title) == move and move.old != move.new
        history.append({"title": move.title, "delta": number / 100 - 0.05, "state": "discarded"})
    assert len({entry["title"] for entry in history}) == 12
    value = {c.name: c.value for c in constants(TRAIN, "cpu")}
    for entry in history:
        move = move_of(str(entry["title"]))
        assert move is not None
        new = {**value, move.name: float(move.new)}
        assert new["WIDTH"] % new["HEADS"] == 0 and 0 < new["BETA1"] < 1 and 0 < new["BETA2"] < 1


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=20), st.lists(st.sampled_from("abc"), max_size=20))
def test_the_smallest_edit_occurs_once_and_makes_the_change(before: list[str], after: list[str]) -> None:
    old_source, new_source = "\n".join(before) + "\n", "\n".join(after) + "\n"
    old, new = smallest_edit(old_source, new_source)
    assert old_source.count(old) == 1 or old == old_source
    assert old_source.replace(old, new, 1) == new_source


def tools(role: str) -> set[str]:
    return {"read_file", "list_experiments", "read_diff", *ROLES[role]}


def answered(messages: list[Message], answers: dict[str, str], role: str, turns: int = 8) -> list[ToolCall]:
    """Let the model play a role against fixed answers; returns all its calls."""
    made: list[ToolCall] = []
    for _ in range(turns):
        turn = next_turn(messages, tools(role), 0)
        messages.append(Message("assistant", turn.words, turn.calls))
        for call in turn.calls:
            made.append(call)
            messages.append(Message("tool", answers.get(call.name, "Done."), tool_call_id=call.id))
            if call.name in ("finish", "submit_patch", "give_up", "approve", "reject"):
                return made
    raise AssertionError(f"the {role} has not come to an end: {[call.name for call in made]}")


EXPERIMENTS = json.dumps({"baseline": {"val_bpb": 3.0, "profile": "cpu"}, "experiments": []})


def test_the_researcher_proposes_as_many_as_asked_and_finishes() -> None:
    made = answered(
        [Message("system", ""), Message("user", "Propose 4 new experiments")],
        {"list_experiments": EXPERIMENTS, "read_file": TRAIN, "propose": "Experiment 1 is proposed."},
        "researcher",
    )
    assert [call.name for call in made].count("propose") == 4 and made[-1].name == "finish"


def test_the_worker_makes_the_idea_of_the_catalogue() -> None:
    brief = BLOCK.format(title="Squared ReLU in the MLP", edit="square it")
    made = answered(
        [Message("system", ""), Message("user", brief)],
        {"read_file": TRAIN, "edit_file": "train.py is changed.", "submit_patch": "The patch is submitted."},
        "worker",
    )
    edit = json.loads(made[1].arguments)
    idea = idea_of("squared relu in the mlp")
    assert idea is not None and TRAIN.replace(edit["old"], edit["new"]) == idea.apply(TRAIN)


@pytest.mark.parametrize(
    ("title", "edit", "why"),
    [
        ("Think harder", "somehow", "this is neither: it needs a patch by hand, or a language model"),
        ("Another", "Set NO_SUCH to 3", "this idea does not fit today's train.py"),
    ],
)
def test_the_worker_gives_up_on_what_it_cannot_do_and_says_why(title: str, edit: str, why: str) -> None:
    made = answered([Message("user", BLOCK.format(title=title, edit=edit))], {"read_file": TRAIN}, "worker")
    assert made[-1].name == "give_up" and "rule-based" in made[-1].arguments and why in made[-1].arguments


@pytest.mark.parametrize(
    ("diff", "verdict"),
    [
        ("-BATCH = 16\n+BATCH = 8", "approve"),
        ("-BATCH = 16\n-DEPTH = 2\n+BATCH = 8\n+DEPTH = 3", "reject"),
        ("", "reject"),
        ("\n".join(f"+line {n}" for n in range(200)), "reject"),
    ],
)
def test_the_reviewer_refuses_several_changes_at_once(diff: str, verdict: str) -> None:
    brief = BLOCK.format(title="T", edit="e") + f"\n\nThe patch:\n```diff\n{diff}\n```"
    made = answered([Message("user", brief)], {"list_experiments": EXPERIMENTS}, "reviewer")
    assert made[-1].name == verdict


def test_the_reviewer_refuses_a_repetition() -> None:
    known = {"id": 2, "title": "t", "state": "discarded"}
    answer = json.dumps({"baseline": {}, "experiments": [known]})
    brief = BLOCK.format(title="T", edit="e") + "\n\n```diff\n+x\n```"
    made = answered([Message("user", brief)], {"list_experiments": answer}, "reviewer")
    assert made[-1].name == "reject" and "repeats experiment 2" in made[-1].arguments


def test_the_planner_queues_every_experiment_of_the_brief() -> None:
    brief = BLOCK.format(title="Squared ReLU in the MLP", edit="e") + "\n\n" + BLOCK.replace("5", "6", 1)
    made = answered([Message("user", brief)], {}, "planner")
    assert {json.loads(call.arguments).get("id") for call in made if call.name == "queue"} == {5, 6}


async def test_it_is_honest_about_itself() -> None:
    model = OfflineModel()
    assert model.name == "offline, rule-based, no language model"
    said: list[str] = []
    reply = await model.reply([Message("user", "Propose 1 new")], [spec_of("propose")], said.append)
    assert reply.tokens_in == reply.tokens_out == 0 and said


def test_a_block_is_read_back_whatever_stands_in_its_lines() -> None:
    [block] = blocks("before\n\n" + BLOCK.format(title="A: b", edit="Set X to 3") + "\n\nafter")
    assert (block.id, block.title, block.edit) == (5, "A: b", "Set X to 3")


def test_the_tuner_takes_the_constants_in_turn_and_leaves_what_was_pruned() -> None:
    """One lucky constant must not be asked for ever, and a step that was stopped early is a bad step."""
    tuner = Tuner(TRAIN, "cpu", seed=0)
    history: list[dict[str, object]] = []
    taken: set[str] = set()
    for _ in range(60):
        [move] = tuner.next_moves(1, history, taken)
        up = float(move.new) > float(move.old)
        state, delta = ("pruned", None) if up else ("discarded", -0.01)
        history.append({"title": move.title, "state": state, "delta": delta})
    moved = [move_of(str(entry["title"])) for entry in history]
    counts = {
        name: sum(move is not None and move.name == name for move in moved) for name in {m.name for m in moved if m}
    }
    assert len(counts) >= 10 and max(counts.values()) <= 10, "no constant is asked for ever"
    steps = [Tuner(TRAIN, "cpu", seed).next_moves(1, _downwards_is_better(), set())[0] for seed in range(12)]
    assert {step.name for step in steps} == {"WEIGHT_DECAY"}
    assert sum(float(step.new) < float(step.old) for step in steps) > len(steps) / 2


def _downwards_is_better() -> list[dict[str, object]]:
    """WEIGHT_DECAY is the constant in turn: its steps up were stopped early, its steps down were little gains."""
    tried: list[dict[str, object]] = []
    for step in (0.15, 0.3, 0.45, 0.6, 0.75):
        tried.append({"title": f"WEIGHT_DECAY: 0.1 -> {0.1 * 2**step:.4g}", "state": "pruned", "delta": None})
        tried.append({"title": f"WEIGHT_DECAY: 0.1 -> {0.1 / 2**step:.4g}", "state": "discarded", "delta": -0.01})
    names = {constant.name for constant in constants(TRAIN, "cpu")} - {"WEIGHT_DECAY"}
    tried += [{"title": f"{name}: 9 -> 8", "state": "discarded", "delta": 0.1} for name in names for _ in range(20)]
    return tried

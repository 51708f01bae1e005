"""Alerts: which events are some, and that each reaches the webhook, whatever that does, or is given up in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.settings import AlertsSection, read_settings
from orchestrator.settings_text import settings_text
from orchestrator.store.records import Level
from orchestrator.tracking.webhook import Outcome, Posted
from orchestrator.watching.alerts import alerts_after
from orchestrator.watching.delivering import MOST_TRIES, SETTLED, Delivery
from tests.tracking.bench_lab import START, bare_lab
from tests.tracking.hook_server import Hook, hook_server

WARN = AlertsSection(webhook_url_env="AUTOLAB_TEST_HOOK", level="warn")


def in_bare_lab(root: Path, play: Callable[[Context], Awaitable[None]], alerts: AlertsSection = WARN) -> None:
    async def whole() -> None:
        async with bare_lab(root, alerts) as context:
            await play(context)

    asyncio.run(whole())


async def anomaly(context: Context, text: str, level: Level | None = None) -> None:
    await context.store.event("anomaly", "autolab", text, after=level)


async def told(context: Context) -> list[str]:
    """What events say of the webhook."""
    events = await context.store.events()
    return [event.reason for event in events if event.kind == "lab" and "webhook" in event.reason]


class Script:
    """A webhook that gives these answers in turn, the last one from then on; `asked` holds what was posted."""

    def __init__(self, *answers: Outcome) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, variable: str, alert: dict[str, object]) -> Posted:
        self.asked.append(str(alert["text"]))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return Posted(answer, "" if answer is Outcome.TAKEN else "HTTP status 500")


@pytest.fixture(autouse=True)
def hook_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOLAB_TEST_HOOK", "http://127.0.0.1:1/s3cret")


def test_wins_anomalies_and_a_halted_lab_are_alerts_of_their_levels_and_nothing_else_is(tmp_path: Path) -> None:
    async def play(context: Context) -> None:
        store = context.store
        await store.adopt_master("b" * 40, (await store.add_start("c" * 40, "mine", "a commit of mine")).id, "moved")
        await anomaly(context, "a plateau\x1b[31m\nof 20")
        await anomaly(context, "the disk is full", Level.ERROR)
        await store.event("lab", "autolab", "the lab goes to work")
        await store.event("lab", "autolab", "nothing new starts: a reason", after=Level.ERROR)
        await store.event("agent", "worker-1", "gave up a job")
        assert [(str(one.level), one.text) for one in await alerts_after(store, 0, 100)] == [
            ("info", "a commit of mine"),
            ("info", "moved"),
            ("warn", "a plateau of 20"),
            ("error", "the disk is full"),
            ("error", "nothing new starts: a reason"),
        ]

    in_bare_lab(tmp_path, play)


def test_only_what_is_grave_enough_and_came_after_the_webhook_was_named_is_sent(tmp_path: Path) -> None:
    async def play(context: Context) -> None:
        hook = Script(Outcome.TAKEN)
        await anomaly(context, "before")
        delivery = Delivery(context, hook)
        await delivery.look()
        await context.store.adopt_master("b" * 40, 0, "a promotion is below the level")
        await anomaly(context, "one")
        await anomaly(context, "two", Level.ERROR)
        await delivery.look()
        await delivery.look()
        assert hook.asked == ["one", "two"]
        again = Delivery(context, hook)  # after a restart
        await again.look()
        assert hook.asked == ["one", "two"]

    in_bare_lab(tmp_path, play)


def test_a_daemon_that_died_before_the_answer_came_sends_again(tmp_path: Path) -> None:
    async def play(context: Context) -> None:
        asked = asyncio.Event()

        async def hang(variable: str, alert: dict[str, object]) -> Posted:
            asked.set()
            await asyncio.sleep(3600)
            raise AssertionError

        await Delivery(context, hang).look()
        await anomaly(context, "one")
        dying = asyncio.create_task(Delivery(context, hang).run())
        await asyncio.wait_for(asked.wait(), 20)
        dying.cancel()
        hook = Script(Outcome.TAKEN)
        await Delivery(context, hook).look()
        assert hook.asked == ["one"]

    in_bare_lab(tmp_path, play)


def test_a_dead_webhook_is_told_once_and_each_alert_is_given_up_after_so_many_tries(tmp_path: Path) -> None:
    async def play(context: Context) -> None:
        hook = Script(*[Outcome.FAILED] * (MOST_TRIES + 2), Outcome.TAKEN)
        delivery = Delivery(context, hook, pauses=(1.0, 5.0))
        await delivery.look()
        await anomaly(context, "old")
        assert [await delivery.look() for _ in range(3)] == [1.0, 5.0, 5.0]
        await anomaly(context, "new")
        for _ in range(MOST_TRIES - 1):
            await delivery.look()
        assert hook.asked == ["old"] * MOST_TRIES + ["new"] * 2
        assert await told(context) == [
            f"the webhook takes no alerts: HTTP status 500; each alert is tried {MOST_TRIES} times at most"
        ]
        await delivery.look()
        assert hook.asked[-1] == "new"
        assert (await told(context))[1:] == ["the webhook takes alerts again; 1 were given up meanwhile"]

    in_bare_lab(tmp_path, play)


def test_an_alert_that_is_refused_makes_way_for_the_next(tmp_path: Path) -> None:
    async def play(context: Context) -> None:
        hook = Script(Outcome.REFUSED, Outcome.TAKEN)
        delivery = Delivery(context, hook)
        await delivery.look()
        await anomaly(context, "one")
        await anomaly(context, "two")
        assert await delivery.look() == 0.0
        assert hook.asked == ["one", "two"]

    in_bare_lab(tmp_path, play)


def test_an_unset_variable_is_told_once_by_its_name_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(context: Context) -> None:
        hook = Script(Outcome.TAKEN)
        monkeypatch.delenv("AUTOLAB_TEST_HOOK")
        delivery = Delivery(context, hook)
        await delivery.look()
        await anomaly(context, "one")
        await delivery.look()
        (sentence,) = await told(context)
        assert "AUTOLAB_TEST_HOOK is not set" in sentence and hook.asked == []
        monkeypatch.setenv("AUTOLAB_TEST_HOOK", "http://127.0.0.1:1")
        await Delivery(context, hook).look()
        assert hook.asked == ["one"]

    in_bare_lab(tmp_path, play)


def test_without_a_webhook_nothing_is_kept_for_one(tmp_path: Path) -> None:
    async def play(context: Context) -> None:
        await context.store.set_meta(SETTLED, "3")
        assert await Delivery(context, Script(Outcome.FAILED)).look() == 0.0
        assert await context.store.meta(SETTLED) == ""

    in_bare_lab(tmp_path, play, AlertsSection())


def test_a_real_server_that_fails_and_recovers_gets_every_alert_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hook_server(Hook([503, (429, {"Retry-After": "1"}), 204])) as hook:
        monkeypatch.setenv("AUTOLAB_TEST_HOOK", hook.url)

        async def play(context: Context) -> None:
            delivery = Delivery(context, pauses=(0.0,))
            await delivery.look()
            await anomaly(context, "one")
            await anomaly(context, "two", Level.ERROR)
            assert [await delivery.look() for _ in range(3)] == [0.0, 1.0, 0.0]
            assert hook.taken() == ["one", "two"]
            assert (hook.bodies[1]["level"], hook.bodies[1]["lab"]) == ("error", tmp_path.name)
            everything = [str(event) for event in await context.store.events()]
            assert len(await told(context)) == 2 and not any("s3cret" in one for one in everything)

        in_bare_lab(tmp_path, play)


def test_a_url_in_place_of_a_variable_s_name_is_refused_without_repeating_it(tmp_path: Path) -> None:
    path = tmp_path / "autolab.toml"
    text = settings_text("cpu", 15)
    path.write_text(text.replace('# webhook_url_env = "AUTOLAB_WEBHOOK"', 'webhook_url_env = "AUTOLAB_WEBHOOK"'))
    settings = read_settings(path)
    assert (settings.alerts.webhook_url_env, settings.alerts.lowest) == ("AUTOLAB_WEBHOOK", Level.WARN)
    path.write_text(text.replace('# webhook_url_env = "AUTOLAB_WEBHOOK"', 'webhook_url_env = "https://s3cret"'))
    with pytest.raises(LabError, match=r"alerts\.webhook_url_env is no name") as refused:
        read_settings(path)
    assert "s3cret" not in str(refused.value)


def test_the_start_of_a_lab_is_no_alert(tmp_path: Path) -> None:
    async def play(context: Context) -> None:
        master = await context.store.master()
        assert master is not None and master.commit_id == START
        assert await alerts_after(context.store, 0, 10) == []

    in_bare_lab(tmp_path, play)

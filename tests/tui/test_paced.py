"""Nothing is painted while frames are held back, nothing of it is lost, and a text of style is parsed once."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import ComposeResult
from textual.css import stylesheet
from textual.screen import Screen
from textual.widgets import Static

from tui.paced import PacedApp, PacedScreen


class Told(PacedScreen[None]):
    CSS = "Static { height: auto; }"

    def compose(self) -> ComposeResult:
        yield Static("one line")


class App(PacedApp[None]):
    def __init__(self) -> None:
        super().__init__()
        self.frames = 0

    def on_mount(self) -> None:
        self.push_screen(Told())

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        self.frames += 1
        super()._display(screen, renderable)


async def test_a_layout_while_frames_are_held_paints_nothing_until_they_are_released() -> None:
    async with App().run_test(size=(80, 24)) as pilot:
        app = pilot.app
        assert isinstance(app, App)
        app.raise_curtain()
        await pilot.pause(0.2)
        app._hold()
        app.frames = 0
        told = Static("another line")
        await app.screen.mount(told)
        app.screen._refresh_layout()  # as a resize does
        await pilot.pause(0.2)
        assert told.region.y == 1 and app.frames == 0
        app._release()
        await pilot.pause(0.2)
        assert app.frames > 0 and not app.screen._compositor._dirty_regions


async def test_another_screens_text_is_parsed_without_those_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(Told):
        CSS = "Static { color: red; }"

    parsed: list[str] = []
    parse = stylesheet.parse

    def counted(scope: str, css: str, *words: Any, **named: Any) -> Any:
        parsed.append(css)
        return parse(scope, css, *words, **named)

    monkeypatch.setattr(stylesheet, "parse", counted)
    async with App().run_test(size=(80, 24)) as pilot:
        assert Told.CSS in parsed
        parsed.clear()
        await pilot.app.push_screen(Other())
        await pilot.pause(0.1)
        assert Other.CSS in parsed and Told.CSS not in parsed

"""The app's way with its terminal: paints at the pace of the line, leaves cleanly when it drops, sleeps and wakes."""

from __future__ import annotations

import asyncio
import gc
import locale
import os
from collections.abc import Mapping
from contextlib import ExitStack
from time import time
from typing import Any, ClassVar, TypeVar

from rich.console import RenderableType
from textual import on
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.binding import Binding, BindingType
from textual.events import Event, InputEvent, Key, MouseMove, Paste, Resize
from textual.notifications import Notification, Notify
from textual.screen import Screen
from textual.widgets._toast import Toast

from tui.notices import EDGES, path_width, subject
from tui.pace import REST_SECONDS, SSH_REST_SECONDS, Pace
from tui.shadow import Difference, Shadow
from tui.sheet import Sheet
from tui.terminal import Terminal, now, stopped_by
from tui.theme import DARK, LIGHT, SIXTEEN
from tui.typed_ahead import TypedAhead

Result = TypeVar("Result")

OPENING_SECONDS = 3.0
"""The first screens come as fast as they can."""

CURTAIN_SECONDS = 2.0
"""The longest that the first screen is waited for, before what there is of it is painted."""

ACT_SECONDS = 0.004
"""What a key does comes first, so that one frame shows it along with what has waited."""

ANSWER_SECONDS = 0.06
"""The longest that new facts wait for the answer to a key."""

NOTICE_COLUMNS = 60
"""How wide Textual makes one, or half the screen where that is less."""

MOST_NOTICES = 2
"""At once: more would hide what they are about."""

NO_COLOUR = """
App:nocolor .rows--cursor, App:nocolor Button:focus, App:nocolor .tone--found { text-style: reverse; }
"""


class PacedApp(App[Result]):
    """An app that holds its frames back while the terminal has not taken the last one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+z", "suspend_process", "sleep", show=False, priority=True),
        Binding("ctrl+l", "redraw", "paint everything anew", show=False, priority=True),
    ]
    CSS = NO_COLOUR

    def __init__(self, *, ascii_only: bool | None = None) -> None:
        colourless = "NO_COLOR" in os.environ
        super().__init__(driver_class=Terminal, ansi_color=True if colourless else None)
        for theme in (DARK, LIGHT, SIXTEEN):
            self.register_theme(theme)
        self.theme = chosen_theme(os.environ, self.console.color_system)
        self.stylesheet = Sheet(variables=self.get_css_variables())
        self.animation_level = "none"
        self.ascii_only = speaks_ascii_only(os.environ) if ascii_only is None else ascii_only
        self._pace = Pace(SSH_REST_SECONDS if "SSH_CONNECTION" in os.environ else REST_SECONDS)
        self._pace.touched(now(), OPENING_SECONDS)
        self._shadow = Shadow()
        self._held: ExitStack | None = None
        self._curtain = True  # down: the first screen is being made, and no half of it is painted
        self._look_again: asyncio.TimerHandle | None = None
        self._typed = TypedAhead(self, self._answer)
        self._answered_at = 0.0  # the newest key, in Unix time
        self._page: Screen[Any] | None = None
        self._unanswered = False  # a key was pressed, and nothing has been painted since

    # -- frames

    def frame_written(self, size: int) -> None:
        """A frame is on its way: the next one waits until the terminal has taken this one."""
        self._unanswered = False
        self._pace.painted(now(), size)
        self._hold()
        self._consider()

    @on(Notify)
    def _make_way(self, event: Notify) -> None:
        """The newest notices are seen, and what they stand over; of what one tells of, no older one says otherwise."""
        told = subject(event.notification.message)
        for place, old in enumerate(reversed(list(self._notifications)), 1):
            if place > MOST_NOTICES or (told is not None and subject(old.message) == told):
                self._unnotify(old)

    def _refresh_notifications(self) -> None:
        super()._refresh_notifications()
        if any(self._too_wide(one.message) for one in self._notifications):
            self.call_later(self.call_after_refresh, self._widen_notices)  # Textual makes them in two steps

    def _too_wide(self, words: str) -> bool:
        return path_width(words) > min(NOTICE_COLUMNS, self.size.width // 2) - EDGES

    def _widen_notices(self) -> None:
        """A path stands whole where the screen has room for it."""
        for toast in self.screen.query(Toast):
            words = toast._notification.message
            if self._too_wide(words):
                toast.styles.width, toast.styles.max_width = path_width(words) + EDGES, "100%"

    def page_shown(self, page: Screen[Any]) -> None:
        """Another page: what was told before the key that has opened it is told no more."""
        if page is not self._page:
            self._page = page
            old = [one for one in self._notifications if one.raised_at < self._answered_at]
            if old:
                self.call_after_refresh(self._untell, old)  # the page is laid out first

    def _untell(self, notices: list[Notification]) -> None:
        for old in notices:
            if old in self._notifications:
                self._unnotify(old)

    async def _answer(self, event: Event) -> None:
        """A key or a paste whose turn has come."""
        self._answered_at = time()
        await super().on_event(event)

    async def keys_answered(self) -> None:
        """Whatever takes long waits here for the answer to a key, if one is due; a key may have none."""
        until = now() + ANSWER_SECONDS
        while self._unanswered and now() < until:
            await asyncio.sleep(0.005)
        self._unanswered = False

    @property
    def holds(self) -> bool:
        """Whether frames are held back; what is marked as changed is painted afterwards."""
        return self._held is not None

    def get_default_screen(self) -> Screen[Any]:
        return PacedScreen(id="_default")

    def _hold(self) -> None:
        if self._held is None:
            self._held = ExitStack()
            self._held.enter_context(self.batch_update())

    async def first_screen_made(self) -> None:
        """Let the layout settle behind the curtain, so that the first screen is painted once."""
        for _ in range(3):
            screen = self.screen
            if screen._layout_required and screen.size:
                screen._refresh_layout()
                screen._layout_required = False
            await asyncio.sleep(0.01)
        self.raise_curtain()

    def raise_curtain(self) -> None:
        """The first screen is there: from now on everything is painted as it comes.

        What has been made for it stays: the garbage collector passes over it from now on, and holds no key up for the
        twentieth of a second that it would take.
        """
        if self._curtain:
            gc.freeze()
            gc.enable()
        self._curtain = False
        self._release()

    def frame_taken(self) -> None:
        self._pace.answered(now())
        self._consider()

    def output_drained(self) -> None:
        self._pace.drained(now())
        self._consider()

    def _consider(self) -> None:
        """Paint, if it is time; else look again when it may be."""
        if self._look_again is not None:
            self._look_again.cancel()
            self._look_again = None
        if self._held is None or self._curtain:
            return
        at = now()
        wait = self._pace.wait(at)
        if wait <= 0:
            self._release()
            return
        if self._pace.silent(at) and isinstance(self._driver, Terminal):
            self._pace.begin_again()
            self._pace.painted(at, 0)
            self._driver.ask()
        self._look_again = asyncio.get_running_loop().call_later(wait, self._consider)

    def _release(self) -> None:
        if self._held is not None and not self._curtain:
            held, self._held = self._held, None
            held.close()
            self.call_later(self._paint_what_waited)

    def _paint_what_waited(self) -> None:
        """A batch leaves what has changed marked; the screens that are seen are told to look at the marks."""
        if self._held is None and self.screen_stack:
            screen = self.screen
            for seen in (*self._background_screens, screen):
                if seen._compositor._dirty_regions:  # a layout that was made in the meantime
                    seen._compositor_refresh()
            screen.check_idle()

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Of every frame only what differs goes to the terminal."""
        if isinstance(renderable, CompositorUpdate):
            renderable = Difference(renderable, self._shadow)
        super()._display(screen, renderable)

    def screen_lost(self) -> None:
        """What the terminal shows is not known any more."""
        self._shadow.forget()

    def action_redraw(self) -> None:
        """Paint everything anew: something else has written onto the screen."""
        self.screen_lost()
        self.refresh()
        self.screen.refresh()

    async def on_event(self, event: Event) -> None:
        if isinstance(event, InputEvent) and not isinstance(event, MouseMove):
            self._unanswered = not self.is_headless
            self._pace.touched(now())
            asyncio.get_running_loop().call_later(ACT_SECONDS, self._consider)
        elif isinstance(event, Resize):
            self._pace.touched(now())
            self.screen_lost()
            self._release()
        if isinstance(event, Key | Paste) and not event.is_forwarded:
            await self._typed.take(event)
        else:
            await super().on_event(event)

    # -- coming and going

    def on_load(self) -> None:
        loop = asyncio.get_running_loop()
        for number in stopped_by():
            loop.add_signal_handler(number, self.stopped, 128 + number)
        if not self.is_headless:
            self._hold()
            loop.call_later(CURTAIN_SECONDS, self.raise_curtain)

    def stopped(self, return_code: int) -> None:
        """The line has dropped, or somebody has asked the room to end: the lab goes on."""
        self.raise_curtain()
        self.exit(return_code=return_code)

    def line_dropped(self) -> None:
        self.stopped(128 + stopped_by()[0])

    def back_again(self) -> None:
        """From sleep: everything is painted anew."""
        self._pace.begin_again()
        self._pace.touched(now(), OPENING_SECONDS)
        self.screen_lost()
        self._release()
        self.call_later(self.refresh, layout=True)


class PacedScreen(Screen[Result]):
    """A screen that paints nothing while the app holds its frames back; Textual's own paints after every layout."""

    def _compositor_refresh(self) -> None:
        if not (isinstance(self.app, PacedApp) and self.app.holds):
            super()._compositor_refresh()


def chosen_theme(environment: Mapping[str, str], color_system: str | None) -> str:
    """AUTOLAB_THEME (dark, light, 16), else what the terminal says of itself.

    COLORFGBG is `foreground;background` in the numbers of the 16 colours; 7 and 9 to 15 are light.
    """
    named = {"dark": DARK, "light": LIGHT, "16": SIXTEEN}.get(environment.get("AUTOLAB_THEME", ""))
    if named is not None:
        return named.name
    if color_system == "standard":
        return SIXTEEN.name
    background = environment.get("COLORFGBG", "").rpartition(";")[2]
    light = background.isdigit() and (int(background) == 7 or 9 <= int(background) <= 15)
    return LIGHT.name if light else DARK.name


def speaks_ascii_only(environment: Mapping[str, str]) -> bool:
    """Whether the terminal knows no more: it is said so, the locale is not UTF-8, or TERM is a plain old one.

    A locale of C is no sign: it is what remote machines are left with, and terminals are UTF-8 all the same.
    """
    if said := environment.get("AUTOLAB_ASCII", ""):
        return said not in ("0", "no")
    coding = locale.getpreferredencoding(False).lower().replace("-", "")
    return coding not in ("utf8", "utf_8") or environment.get("TERM", "") in ("dumb", "vt100", "vt220")

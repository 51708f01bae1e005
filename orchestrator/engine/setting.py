"""The command `set`: one setting of `autolab.toml`, changed in the file and under the lab at work."""

from __future__ import annotations

import asyncio
from typing import Any

from orchestrator.context import Context
from orchestrator.live_settings import change_setting, with_key
from orchestrator.team.jobs import slots_of, workers_of


async def set_setting(context: Context, words: dict[str, Any], actor: str) -> str:
    """Set `words["key"]` to `words["value"]` (TOML; None takes it out of the file) and work by it at once.

    Raises LabError: no such key, not one to change now, or a value that it cannot have.
    """
    key, value = str(words["key"]).strip(), words["value"]
    text = None if value is None else str(value)
    change = await asyncio.to_thread(change_setting, context.lab.settings_file, key, text)
    context.standing.now = with_key(context.settings, change.settings, key)
    advice = _advice(context, key)
    now = change.after if change.after is not None else "back at its default"
    if change.before == change.after:
        return f"the setting {key} is {now} already{advice}"
    was = change.before if change.before is not None else "not set"
    said = f"{key} is {now}, was {was}"
    await context.store.event("setting", actor, said, before=change.before, after=change.after)
    return f"the setting {said}{advice}"


def _advice(context: Context, key: str) -> str:
    """What a person may not have meant, to stand behind the answer."""
    if not key.endswith(".workers"):
        return ""
    told: list[str] = []
    for team in context.settings.teams_at_work:
        if team.workers != "auto" and (most := workers_of(context, team)) < team.workers:
            needed = f"slots {slots_of(context)}, patch_ahead {team.patch_ahead}"
            told.append(f"; {most} of them work, for there are no more patches to make at once ({needed})")
    return "".join(dict.fromkeys(told))

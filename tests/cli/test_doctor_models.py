"""`autolab doctor` and language models: one tiny exchange each, what it showed, and the remedy; never the key."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.command_line import autolab
from tests.roles.openai_server import OpenAIServer, Request, Scripted, calls, fails, says
from tests.roles.weak_scripts import in_text

KEY = "hf_doctor_canary_0123456789abcdef"
READY = ("ready", {"word": "yes"})


def by_model(request: Request) -> Scripted:
    """Four models at one address: two sound, one without tools, and one that refuses the key and repeats it."""
    match request.body["model"]:
        case "sound" | "tiny":
            return calls(READY)
        case "toolless":
            return (
                fails(400, "tools are not supported") if "tools" in request.body else says(in_text(*READY), usage=False)
            )
        case _:
            return fails(401, f"Invalid credentials: {request.headers['authorization']}")


def test_each_model_is_told_with_what_it_can_do_and_a_remedy_where_it_cannot(lab: Path) -> None:
    with OpenAIServer(by_model) as server:
        text = (lab / "autolab.toml").read_text()
        for name in ("sound", "toolless", "refused"):
            text += f'\n[models.{name}]\nkind = "openai"\nbase_url = "{server.url}"\nmodel = "{name}"\n'
            text += 'api_key_env = "CANARY"\n'
        text += f'\n[models.tiny]\nkind = "openai"\npreset = "ollama"\nbase_url = "{server.url}"\nmodel = "tiny"\n'
        text += '\n[models.keyless]\nkind = "openai"\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"\n'
        text += 'api_key_env = "NOT_SET_ANYWHERE"\n'
        (lab / "autolab.toml").write_text(text)
        os.environ["CANARY"] = KEY
        try:
            told = autolab("doctor", str(lab))
            found = json.loads(autolab("doctor", "--json", str(lab)).stdout)
        finally:
            del os.environ["CANARY"]
    models = {one["name"].removeprefix("model "): one for one in found if one["name"].startswith("model ")}
    assert models["offline"]["ok"] and "no language model" in models["offline"]["found"]
    assert models["sound"]["ok"] and models["sound"]["remedy"] == ""
    assert "streams; calls tools natively; counts tokens" in models["sound"]["found"]
    assert models["tiny"]["ok"] and "taken to be 4096 tokens" in models["tiny"]["remedy"]
    assert "OLLAMA_CONTEXT_LENGTH" in models["tiny"]["remedy"]
    assert models["toolless"]["ok"] and "takes no tools" in models["toolless"]["found"]
    assert "--enable-auto-tool-choice" in models["toolless"]["remedy"] and "estimated" in models["toolless"]["remedy"]
    assert not models["refused"]["ok"] and "refuses the key (401)" in models["refused"]["found"]
    assert "CANARY" in models["refused"]["remedy"]
    assert not models["keyless"]["ok"] and "NOT_SET_ANYWHERE, which is not set" in models["keyless"]["found"]
    assert KEY[:12] not in told.stdout + told.stderr + json.dumps(found)
    assert "--enable-auto-tool-choice" in told.stdout, "the remedy is told also where the model can be used"
    assert sum(request.body["model"] == "sound" for request in server.requests) == 2, "one exchange each time"


def test_a_lab_whose_team_has_no_model_that_answers_fails_the_examination(bare: Path) -> None:
    settings, text = bare / "autolab.toml", (bare / "autolab.toml").read_text()
    dead = '\n[models.dead]\nkind = "openai"\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "m"\n'
    settings.write_text(text + dead)
    assert autolab("doctor", str(bare)).returncode == 0, "no team asks it"
    settings.write_text(text.replace('\nmodel = "offline"\n', '\nmodel = "dead"\n', 1) + dead)
    told = autolab("doctor", str(bare))
    assert told.returncode == 1 and "MIND  model dead" in told.stdout, told.stdout + told.stderr

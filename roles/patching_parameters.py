"""The parameters of the worker's tools beyond edit_file."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from roles.schema import Parameters


class ReplaceFunction(Parameters):
    """Replace a whole function, method or class by new code, found by its name, so that no old text need be copied.
    Use edit_file for a line or two, this for more. Decorators stay unless the new code brings its own."""

    example: ClassVar[dict[str, Any]] = {
        "path": "train.py",
        "name": "activation",
        "code": "def activation(x):\n    return F.relu(x).square()\n",
    }

    path: str = Field(min_length=1, description="the file, for example train.py")
    name: str = Field(
        min_length=1, description="the name as it stands in the file: activation, or GPT.forward for a method"
    )
    code: str = Field(
        min_length=1, description="the whole new definition, beginning with def or class, of the same name"
    )


class CheckPatch(Parameters):
    """Check what you have changed so far against the rules that submit_patch applies, without submitting: contract,
    seed, clock, files, one change, a program that is new. The answer names what it changes, or what is refused."""

    example: ClassVar[dict[str, Any]] = {}


class SmokeRun(Parameters):
    """Try the program as it stands for a few training steps on one CPU core, in the sandbox: it takes seconds. Where it
    crashes, the answer is the end of the traceback. Call it before you submit, when more than a constant changed."""

    example: ClassVar[dict[str, Any]] = {}

"""The client library's connection to a server: which way it takes, and what of the environment goes along."""

from __future__ import annotations

import importlib
import ipaddress
import ssl
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import openai

CONNECT_SECONDS = 10.0
OPENAI_HOST = "api.openai.com"


def connected(base_url: str, key: str, silence_seconds: float) -> openai.AsyncOpenAI:
    """A client for the server at `base_url`; an empty `key` is none. Blocks: the library takes a second to import.

    A server on this machine is reached directly, whatever proxy the environment names; others as HTTP_PROXY and
    NO_PROXY say. Organization, project and headers that the environment keeps for OpenAI go to OpenAI alone.
    """
    library: Any = importlib.import_module("openai")
    host = _host(base_url)
    direct = _on_this_machine(host)
    client = library.AsyncOpenAI(
        base_url=base_url,
        api_key=key or "none",
        timeout=library.Timeout(silence_seconds, connect=min(CONNECT_SECONDS, silence_seconds)),
        max_retries=0,  # they are made by the model, so that they can be counted and seen
        http_client=(
            library.DefaultAsyncHttpxClient(trust_env=False, verify=ssl.create_default_context()) if direct else None
        ),
    )
    if host != OPENAI_HOST and not host.endswith(f".{OPENAI_HOST}"):
        client.organization = client.project = None
        client._custom_headers = {}  # the library has no other way not to read OPENAI_CUSTOM_HEADERS
    made: openai.AsyncOpenAI = client
    return made


def _host(base_url: str) -> str:
    try:
        return (urlsplit(base_url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _on_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified

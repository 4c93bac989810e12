"""Answering a call as well or badly as a fault wants."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping

from flask import Response

from sandbox.rails.faults import Answer, Script
from sandbox.resets import reset

_PAGE = "<html><head><title>Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"

Refusal = Callable[[int, str], Response]


def answered(script: Script, act: Callable[[], Response], refuse: Refusal) -> Response:
    """
    Do what was asked for, where the script lets it be done, and answer as the script wants.

    Args:
        script: What befalls the call.
        act: Does it, and makes the usual answer.
        refuse: A refusal in the rail's own form, from a status and words.
    """
    if script.answer is None:
        return act()
    usual = act() if script.is_done else None
    return _spoilt(script.answer, usual, refuse)


def said(status: int, body: Mapping[str, object]) -> Response:
    """JSON, as both rails have it."""
    return Response(json.dumps(body), status, content_type="application/json; charset=utf-8")


def _spoilt(answer: Answer, usual: Response | None, refuse: Refusal) -> Response:
    if answer.kind == "stall":
        time.sleep(answer.seconds)
        assert usual is not None
        return usual
    if answer.kind == "malformed":
        whole = usual.get_data() if usual else b'{"status":true,"message":"Verification'
        return Response(whole[: len(whole) // 2], 200, content_type="application/json")
    return _instead(answer, refuse)


def _instead(answer: Answer, refuse: Refusal) -> Response:
    """What the caller sees that has nothing to do with what was asked for."""
    match answer.kind:
        case "http":
            return Response("Service Unavailable", answer.status or 503, mimetype="text/plain")
        case "html":
            return Response(_PAGE, answer.status or 502, mimetype="text/html")
        case "empty":
            return Response(b"", answer.status or 500)
        case "error":
            return refuse(answer.status or 400, answer.message)
        case "throttled":
            return refuse(429, "Please wait a few minutes and try again.")
        case _:
            return reset()

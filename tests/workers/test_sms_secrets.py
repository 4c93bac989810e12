"""
Who may read about a message that was not sent: not its text, its number, or our key.
"""

from __future__ import annotations

import logging
import traceback

import pytest
from sms_provider import (
    KEY,
    TEXT,
    TO,
    answer,
    body,
    clients,
    dead_url,
    failure,
    hang_up,
    provided,
    raw,
    recipient,
    stall,
)

from workers.transport import Timeouts

QUICK = Timeouts(connect_seconds=0.2, read_seconds=0.2)


@pytest.fixture
def provider():
    with provided() as provider:
        yield provider


@pytest.fixture
def client(provider):
    with clients(provider.url) as make:
        yield make


@pytest.mark.parametrize(
    "step",
    [
        hang_up,
        stall,
        raw(f"HTTP/1.1 {KEY} {TEXT}\r\n\r\n".encode()),
        raw(f"{KEY} {TEXT}\r\n\r\n".encode()),
        raw(f"HTTP/1.1 201 X\r\nA: b\r\n{KEY} {TEXT} {TO}\r\nB: c\r\n\r\n".encode()),
        answer(302, b"", Location=f"/{KEY}"),
        answer(400, f"{KEY} {TEXT}".encode()),
        answer(500, f"{KEY} {TEXT}".encode()),
        answer(503, Retry_After=KEY),
        answer(content=f"{KEY} {TEXT}".encode()),
        answer(content=body(message=f"{KEY} {TEXT}")),
        answer(content=body(recipient(f"{KEY} {TEXT}"))),
        answer(content=body(recipient(406, status=f"{KEY} {TEXT}"))),
        None,
        "surrogate",
    ],
)
def test_no_error_or_log_holds_the_key_the_text_or_the_number(provider, client, caplog, step):
    caplog.set_level(logging.DEBUG)
    text = TEXT + "\ud800" if step == "surrogate" else TEXT
    sender = client(timeouts=QUICK) if step else client(dead_url())
    provider.script += [step] if callable(step) else []
    failed = failure(sender, text=text)
    said = [repr(failed), repr(failed.args), repr(sender), *traceback.format_exception(failed)]
    said += [repr(failed.__cause__), repr(failed.__context__)]
    said += [repr(vars(record)) for record in caplog.records]
    assert not [line for line in said for word in (KEY, TEXT, TO.strip("+")) if word in line]


@pytest.mark.parametrize("step", [hang_up, stall, answer(401, b""), answer(content=b"OK"), None])
def test_no_error_leads_back_to_the_key(provider, client, step):
    """An error report prints the locals of every frame, and follows every cause."""
    sender = client(timeouts=QUICK) if step else client(dead_url())
    provider.script += [step] if step else []
    failed = failure(sender)
    assert not hasattr(failed.__context__, "request")
    frames = [frame for frame, _ in traceback.walk_tb(failed.__traceback__)]
    assert "_post" in repr([frame.f_code.co_names for frame in frames])
    assert not [frame for frame in frames if KEY in repr(frame.f_locals)]

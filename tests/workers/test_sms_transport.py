"""
What became of a message when the line to Africa's Talking fails, and who may read about it.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
import traceback
from contextlib import ExitStack

import pytest
from sms_provider import (
    CERTIFICATE,
    KEY,
    TEXT,
    TO,
    answer,
    answer_and_hang_up,
    body,
    clients,
    dead_url,
    drip,
    failure,
    hang_up,
    packaged,
    provided,
    raw,
    recipient,
    stall,
    stall_midway,
    unread,
)

from workers.errors import Rejected, Unknown, Unreachable
from workers.sms.africastalking import Timeouts

QUICK = Timeouts(connect_seconds=0.2, read_seconds=0.2)


@pytest.fixture
def provider():
    with provided() as provider:
        yield provider


@pytest.fixture
def certificate(tmp_path):
    path = tmp_path / "loopback.pem"
    path.write_text(CERTIFICATE)
    return path


@pytest.fixture
def secure(certificate):
    with provided(certificate) as provider:
        yield provider


@pytest.fixture
def client(provider, secure):  # closed before them
    with clients(provider.url) as make:
        yield make


@pytest.fixture
def package(provider):
    return packaged(provider.url)


# -------------------------------------------------------------------------------- the transport


@pytest.mark.parametrize(
    "step",
    [
        unread,
        hang_up,
        stall,
        stall_midway,
        drip,
        raw(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{"),
        raw(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        raw(b"HTTP/1.1 2"),
        raw(b"SSH-2.0-OpenSSH\r\n"),
        raw(b"\x00" * 70_000),
        raw(b"HTTP/1.1 201 Created\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
        raw(b"HTTP/1.1 201 Created\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nno"),
        raw(b"HTTP/1.1 201 Created\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}"),
    ],
)
def test_a_request_that_was_written_and_not_answered_is_unknown(provider, client, step):
    provider.script.append(step)
    began = time.monotonic()
    assert type(failure(client(timeouts=QUICK))) is Unknown
    assert time.monotonic() - began < 1
    assert provider.connections == 1


@pytest.mark.parametrize("host", ["[::1]:1", "127.0.0.1:1", "a..b", "x" * 64 + ".invalid"])
def test_no_connection_is_unreachable(client, host):
    assert type(failure(client(f"http://{host}"))) is Unreachable


def test_a_name_that_is_not_resolved_is_unreachable(client, monkeypatch):
    def unresolved(*args):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    failed = failure(client("http://nowhere.invalid"))
    assert type(failed) is Unreachable
    assert "NameResolution" in str(failed)


def test_a_full_queue_of_connections_is_unreachable(client):
    with ExitStack() as stack:
        deaf = stack.enter_context(socket.socket())
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(deaf.getsockname())
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        failed = failure(client(url, timeouts=QUICK))
    assert type(failed) is Unreachable
    assert "ConnectTimeout" in str(failed)


def test_a_greeting_that_fails_is_unreachable(provider, secure, client):
    """TLS: nothing of the request is written before the other side has proved who it is."""
    plain = provider.url.replace("http:", "https:")
    provider.script.append(unread)
    assert type(failure(client(plain))) is Unreachable  # cut
    assert type(failure(client(plain))) is Unreachable  # answered in another language
    assert type(failure(client(secure.url))) is Unreachable  # a certificate nobody trusts
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        assert type(failure(client(url, timeouts=QUICK))) is Unreachable
    assert provider.requests == secure.requests == []


def test_the_same_is_known_behind_tls(secure, client, certificate):
    sender = client(secure.url, timeouts=QUICK._replace(connect_seconds=3))
    sender._api.session.verify = str(certificate)
    secure.script += [answer(), hang_up, stall]
    assert sender.send(to=TO, text=TEXT).provider_id == "ATPid_1"
    assert type(failure(sender)) is Unknown
    assert type(failure(sender)) is Unknown
    assert len(secure.requests) == 3


def test_a_connection_closed_while_idle_is_replaced(provider, client):
    provider.script += [answer_and_hang_up, answer()]
    sender = client()
    sender.send(to=TO, text=TEXT)
    assert provider.closed.wait(5)
    sender.send(to=TO, text=TEXT)
    assert provider.connections == len(provider.requests) == 2


def test_a_connection_closed_under_a_request_is_not_tried_again(provider, client):
    provider.script += [answer(), hang_up]
    sender = client()
    sender.send(to=TO, text=TEXT)
    assert type(failure(sender)) is Unknown
    assert provider.connections == 1
    assert len(provider.requests) == 2


def test_the_key_follows_no_redirect(provider, package, client):
    with provided() as elsewhere:
        provider.script += [answer(307, b"", Location=elsewhere.url + "/steal")] * 2
        package.send(TEXT, [TO])
        assert elsewhere.requests[0][1]["apiKey"] == KEY
        assert isinstance(failure(client()), Rejected)
        assert len(elsewhere.requests) == 1


def test_the_environment_does_not_reroute_the_key(provider, package, client, monkeypatch):
    with provided() as proxy:
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "")
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        package.send(TEXT, [TO])
        assert proxy.requests[0][1]["apiKey"] == KEY
        client().send(to=TO, text=TEXT)
        assert len(proxy.requests) == len(provider.requests) == 1


def test_cookies_are_not_kept(provider, client):
    provider.script.append(answer(Set_Cookie="a=b"))
    sender = client()
    sender.send(to=TO, text=TEXT)
    sender.send(to=TO, text=TEXT)
    assert "Cookie" not in provider.requests[1][1]


# ------------------------------------------------------------------------------ threads, secrets


def test_threads_get_their_own_receipts(provider, client):
    def echo(line):
        answer(content=body(recipient(messageId=line.form["to"])))(line)

    provider.otherwise = echo
    sender, wrong = client(), []

    def send(worker):
        for count in range(20):
            number = f"+2547{worker:02}{count:06}"
            if sender.send(to=number, text=TEXT).provider_id != number:
                wrong.append(number)

    threads = [threading.Thread(target=send, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(provider.requests) == 160
    assert provider.connections <= 10


def test_what_one_thread_wrote_says_nothing_about_another(provider, client):
    outcomes = []
    provider.script.append(stall)
    thread = threading.Thread(target=lambda: outcomes.append(type(failure(client()))))
    thread.start()
    assert provider.reached.wait(5)
    assert type(failure(client(dead_url()))) is Unreachable
    provider.release.set()
    thread.join()
    assert outcomes == [Unknown]


@pytest.mark.parametrize(
    "step",
    [
        hang_up,
        stall,
        raw(f"HTTP/1.1 {KEY} {TEXT}\r\n\r\n".encode()),
        raw(f"{KEY} {TEXT}\r\n\r\n".encode()),
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
def test_no_error_or_log_holds_the_key_or_the_text(provider, client, caplog, step):
    caplog.set_level(logging.DEBUG)
    text = TEXT + "\ud800" if step == "surrogate" else TEXT
    sender = client(timeouts=QUICK) if step else client(dead_url())
    provider.script += [step] if callable(step) else []
    failed = failure(sender, text=text)
    said = [repr(failed), repr(failed.args), repr(sender), *traceback.format_exception(failed)]
    said += [repr(failed.__cause__), repr(failed.__context__)]
    said += [repr(vars(record)) for record in caplog.records]
    assert not [line for line in said if KEY in line or TEXT in line]


@pytest.mark.parametrize("step", [hang_up, stall, answer(401, b""), answer(content=b"OK"), None])
def test_no_error_leads_back_to_the_key(provider, client, step):
    """An error report prints the locals of every frame, and follows every cause."""
    sender = client(timeouts=QUICK) if step else client(dead_url())
    provider.script += [step] if step else []
    failed = failure(sender)
    assert not hasattr(failed.__context__, "request")
    frames = [frame for frame, _ in traceback.walk_tb(failed.__traceback__)]
    assert "_api" in repr([frame.f_code.co_names for frame in frames])
    assert not [frame for frame in frames if KEY in repr(frame.f_locals)]

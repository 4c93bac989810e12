"""
What became of a message when the line to Africa's Talking fails.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest
import requests
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

from workers import transport
from workers.errors import Blocked, Unknown, Unreachable
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


@pytest.fixture
def package(provider):
    return packaged(provider.url)


@pytest.fixture
def certificate(tmp_path):
    path = tmp_path / "loopback.pem"
    path.write_text(CERTIFICATE)
    return path


@pytest.fixture
def secure(certificate):
    with provided(certificate) as provider:
        yield provider


# -------------------------------------------------------------------------------- the transport


@pytest.mark.parametrize(
    "step",
    [
        unread,
        hang_up,
        stall,
        stall_midway,
        drip(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n"),
        drip(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        drip(b"HTTP/1.1 201 Created\r\nX: "),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
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
    assert time.monotonic() - began < 2
    assert provider.connections == 1


@pytest.mark.parametrize(
    "step",
    [
        answer(502, b"<html><title>Bad Gateway</title></html>", "text/html"),
        raw(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 100\r\n\r\n<html>"),
        raw(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5000000\r\n\r\n" + b" " * 70_000),
        drip(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 100\r\n\r\n"),
    ],
)
def test_a_failure_of_theirs_is_one_whatever_its_body(provider, client, step):
    provider.script.append(step)
    began = time.monotonic()
    failed = failure(client(timeouts=QUICK))
    assert time.monotonic() - began < 2
    assert type(failed) is Unreachable
    assert str(failed) == "HTTP 502"


def test_a_byte_earns_no_more_time(provider, client):
    def late(line):
        line.server.release.wait(0.5)
        line.wfile.write(b"H")
        stall(line)

    provider.script.append(late)
    began = time.monotonic()
    assert type(failure(client(timeouts=Timeouts(1, 0.6)))) is Unknown
    assert 0.5 < time.monotonic() - began < 0.95


def test_the_package_waits_as_long_as_bytes_drip(provider, package):
    provider.script.append(drip(b"HTTP/1.1 201 Created\r\nX: "))
    began = time.monotonic()
    threading.Timer(0.4, provider.release.set).start()
    package.send(TEXT, [TO], timeout=QUICK)
    assert time.monotonic() - began > 0.35


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirects_body_is_not_read_either(provider, client, status):
    """With `allow_redirects=False` requests still reads all of it, to make out the next request."""
    written = []

    def flood(line):
        line.wfile.write(b"HTTP/1.1 %d X\r\nLocation: /elsewhere\r\n" % status)
        line.wfile.write(b"Content-Length: 50000000\r\n\r\n")
        for _ in range(50):
            line.wfile.write(b" " * 1_000_000)  # raises when we have hung up
            written.append(1)

    provider.script += [flood, drip(b"HTTP/1.1 %d X\r\nLocation: /\r\n\r\n" % status)]
    began = time.monotonic()
    expected = Unknown if status == 302 else Blocked
    assert type(failure(client(timeouts=QUICK))) is expected
    assert type(failure(client(timeouts=QUICK))) is expected
    assert time.monotonic() - began < 2
    assert provider.closed.wait(5)
    assert len(written) < 20


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


@contextmanager
def deaf():
    """Listen on a port where a connection is neither taken nor refused."""
    with ExitStack() as stack:
        line = stack.enter_context(socket.socket())
        line.bind(("127.0.0.1", 0))
        line.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(line.getsockname())
        yield line.getsockname()[1]


@pytest.fixture
def resolved(monkeypatch):
    """Let the name `many.invalid` have the addresses that are put into this list."""
    addresses, resolve = [], socket.getaddrinfo

    def find(host, *args):
        hosts = addresses if host == "many.invalid" else [host]
        return [found for host in hosts for found in resolve(host, *args)]

    monkeypatch.setattr(socket, "getaddrinfo", find)
    return addresses


def test_a_full_queue_of_connections_is_unreachable(client):
    with deaf() as port:
        failed = failure(client(f"http://127.0.0.1:{port}", timeouts=QUICK))
    assert type(failed) is Unreachable
    assert "ConnectTimeout" in str(failed)


def test_many_addresses_share_one_timeout(client, package, resolved):
    resolved += ["127.0.0.1"] * 3
    with deaf() as port:
        url = f"http://many.invalid:{port}"
        package._baseUrl = url
        began = time.monotonic()
        with pytest.raises(requests.ConnectTimeout):
            package.send(TEXT, [TO], timeout=QUICK)
        assert time.monotonic() - began > 0.55
        began = time.monotonic()
        failed = failure(client(url, timeouts=QUICK))
        assert time.monotonic() - began < 0.5
    assert type(failed) is Unreachable
    assert "ConnectTimeout" in str(failed)


def test_each_address_has_its_share(client, resolved, monkeypatch):
    shares = []

    def connect(address, timeout, **kwargs):
        shares.append(timeout)
        raise ConnectionRefusedError

    monkeypatch.setattr(transport, "create_connection", connect)
    resolved += ["127.0.0.1"] * 3
    timeouts = Timeouts(connect_seconds=3, read_seconds=1)
    assert type(failure(client("http://many.invalid", timeouts=timeouts))) is Unreachable
    assert shares == pytest.approx([1, 1.5, 3], abs=0.2)


def test_a_greeting_has_what_connecting_left_it(provider, client, monkeypatch):
    made, connect = [], transport.create_connection

    def slow(*args, **kwargs):
        time.sleep(0.1)
        made.append(connect(*args, **kwargs))
        return made[0]

    monkeypatch.setattr(transport, "create_connection", slow)
    url = provider.url.replace("http:", "https:")
    timeouts = Timeouts(connect_seconds=5, read_seconds=1)
    assert type(failure(client(url, timeouts=timeouts))) is Unreachable
    assert 0 < made[0].gettimeout() <= 4.9


def test_the_second_address_is_tried(provider, client, resolved):
    resolved += ["::1", "127.0.0.1"]  # nobody listens on the first
    url = provider.url.replace("127.0.0.1", "many.invalid")
    assert client(url).send(to=TO, text=TEXT).provider_id == "ATPid_1"


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
    sender._api.transport.session.verify = str(certificate)
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


def test_closing_hangs_up(provider, client):
    sender = client()
    sender.send(to=TO, text=TEXT)
    assert not provider.closed.is_set()
    sender.close()
    assert provider.closed.wait(5)


def test_the_key_follows_no_redirect(provider, package, client):
    with provided() as elsewhere:
        provider.script += [answer(307, b"", Location=elsewhere.url + "/steal")] * 2
        package.send(TEXT, [TO])
        assert elsewhere.requests[0][1]["apiKey"] == KEY
        assert isinstance(failure(client()), Blocked)
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


# -------------------------------------------------------------------------------------- threads


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

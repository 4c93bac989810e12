"""Calling a stranger's address: never ours, whatever its name says, and whoever answers is who."""

from __future__ import annotations

import socket
import threading
from datetime import UTC, datetime

import pytest
from flask import Flask, request
from house_parts import served
from werkzeug.serving import make_server

from workers import caller
from workers.caller import Caller
from workers.errors import Unreachable
from workers.transport import Timeouts, Transport

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)
QUICK = Timeouts(connect_seconds=1, read_seconds=1)


class Names:
    """A resolver that is told what names mean, and counts how often it was asked."""

    def __init__(self, monkeypatch) -> None:
        self.meanings, self.asked = {}, []
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._resolve)

    def _resolve(self, host, port, *more, **named):
        if host not in self.meanings:
            return self._real(host, port, *more, **named)
        self.asked.append(host)
        addresses = self.meanings[host]
        meant = addresses.pop(0) if isinstance(addresses[0], list) else addresses
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM, 6, "",
             (each, port, 0, 0) if ":" in each else (each, port))
            for each in meant
        ]  # fmt: skip


@pytest.fixture
def names(monkeypatch):
    return Names(monkeypatch)


@pytest.fixture
def listener():
    """An address of ours, and what came to it."""
    app, came = Flask("listener"), []

    @app.post("/")
    def take():
        came.append(request.headers["Host"])
        return "ok"

    with served(app) as url:
        yield url, came


@pytest.fixture
def production():
    made = Caller(loopback=False, timeouts=QUICK)
    yield made
    made.close()


def call(made, url):
    return made.call(url=url, code="msg_1", body="{}", secrets=[SECRET], now=NOW)


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["10.1.2.3"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["8.8.8.8", "127.0.0.1"],
        ["127.0.0.1", "8.8.8.8"],
    ],
)
def test_a_name_that_leads_into_the_house_leads_nowhere(production, names, addresses):
    names.meanings["shop.example.com"] = addresses
    heard = call(production, "https://shop.example.com/")
    assert heard.status is None
    assert "nothing was written (AddressForbidden)" in heard.why


def test_nothing_of_ours_hears_of_it(names, listener):
    url, came = listener
    port = url.rpartition(":")[2]
    names.meanings["shop.example.com"] = ["127.0.0.1"]
    made = Transport(headers={}, may_reach=lambda _address: False)
    with pytest.raises(Unreachable):
        ask(made, f"http://shop.example.com:{port}/")
    assert came == []


def ask(transport, url):
    return transport.request("POST", url, headers={}, data=b"{}", params=None, timeouts=QUICK)


def test_a_name_is_looked_up_once_and_that_very_address_is_connected_to(names, listener):
    """Between two looks a name may come to mean another address; there is no second look."""
    url, came = listener
    port = url.rpartition(":")[2]
    names.meanings["shop.example.com"] = [["127.0.0.1"], ["10.0.0.1"]]
    made = Transport(headers={}, may_reach=lambda address: address == "127.0.0.1")
    assert ask(made, f"http://shop.example.com:{port}/").status == 200
    assert (names.asked, came) == (["shop.example.com"], [f"shop.example.com:{port}"])


def test_each_call_looks_again(names, listener):
    url, came = listener
    port = url.rpartition(":")[2]
    names.meanings["shop.example.com"] = [["127.0.0.1"], ["10.0.0.1"]]
    made = Transport(
        headers={"Connection": "close"}, may_reach=lambda address: address == "127.0.0.1"
    )
    assert ask(made, f"http://shop.example.com:{port}/").status == 200
    with pytest.raises(Unreachable, match="AddressForbidden"):
        ask(made, f"http://shop.example.com:{port}/")
    assert len(came) == 1


@pytest.mark.parametrize(
    "url", ["http://shop.example.com/", "https://127.0.0.1/", "https://shop.example.com:22/"]
)
def test_what_was_let_in_by_other_rules_is_looked_at_again(production, url):
    assert call(production, url).why == "this is not an address that we call"


def test_who_cannot_show_whose_name_it_is_is_told_nothing():
    came = []
    app = Flask("impostor")
    app.post("/")(lambda: came.append(request.data) or "ok")
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context="adhoc")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    made = Caller(loopback=True, timeouts=QUICK)
    try:
        heard = call(made, f"https://127.0.0.1:{server.server_port}/")
    finally:
        made.close()
        server.shutdown()
        thread.join()
        server.server_close()
    assert (heard.status, came) == (None, [])
    assert "nothing was written (SSL" in heard.why


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("Sat, 21 Nov 2026 06:31:00 GMT", 60),
        ("Sat, 21 Nov 2026 06:00:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1e9", None),
        ("99999999", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 01 Jan 99999 00:00:00 GMT", None),
    ],
)
def test_how_long_they_ask_us_to_wait(said, seconds):
    after = caller._retry_after(said, now=NOW)
    assert (None if after is None else after.total_seconds()) == seconds

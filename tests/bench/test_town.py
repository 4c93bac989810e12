"""The simulated people notice what is answered wrong: this test's own door does so."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import pytest

from bench.town.call import Call, How
from bench.town.living import Life, Town
from bench.town.log import Log
from bench.town.people import Neighbour
from bench.town.wire import Wire
from core.subscribers import Language

ME = Neighbour(0, "+254710000003", "63902", Language.ENGLISH)


def talk(answer, use, *, close_after=None):
    """Serve `answer(text, count)` as `(body, screen)`, and do something with calls to it."""

    async def run():
        count = 0

        async def serve(reader, writer):
            nonlocal count
            try:
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode()
                    length = int(head.lower().partition("content-length:")[2].split("\r\n")[0])
                    form = parse_qs((await reader.readexactly(length)).decode())
                    count += 1
                    if count == close_after:
                        break
                    body, screen = answer(form.get("text", [""])[0], count)
                    writer.write(
                        f"HTTP/1.1 200 OK\r\nat-ussd-hop-metadata: {screen}\r\n"
                        f"Content-Length: {len(body.encode())}\r\n\r\n{body}".encode()
                    )
                    await writer.drain()
            except asyncio.IncompleteReadError:
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        wire, log = Wire(server.sockets[0].getsockname()[1]), Log()
        try:
            await use(wire, log)
        finally:
            await wire.close()
            server.close()
            await server.wait_closed()
        return log

    # In a thread of its own: a browser's tests leave this one's loop running.
    with ThreadPoolExecutor(max_workers=1) as apart:
        return apart.submit(lambda: asyncio.run(run())).result()


def a_call(wire, log, network="63902"):
    return Call(wire, log, "/ussd", "ATUid_1", ME.msisdn, network)


@pytest.mark.parametrize(
    ("body", "network", "wrong"),
    [
        ("CON " + "x" * 156, "63902", None),
        ("CON " + "x" * 157, "63902", "161 septets on network 63902"),
        ("CON " + "x" * 178, "63903", None),
        ("CON \N{RIGHT SINGLE QUOTATION MARK}", "63902", "is not in GSM-7"),
        ("Sorry", "63902", "neither CON nor END"),
    ],
)
def test_a_screen_that_no_handset_shows(body, network, wrong):
    log = talk(lambda _text, _count: (body, "x"), lambda w, log: a_call(w, log, network).dial())
    assert [wrong in each for each in log.wrongs] == ([True] if wrong else [])


@pytest.mark.parametrize("how", [How.TWICE, How.AT_ONCE])
def test_a_hop_that_is_answered_in_two_ways(how):
    async def use(wire, log):
        call = a_call(wire, log)
        await call.dial()
        await call.types("1", kind="navigate", how=how)

    log = talk(lambda _text, count: (f"CON {count}", "x"), use)
    assert "two answers to one hop" in log.wrongs[0]
    assert not talk(lambda text, _count: (f"CON {text}", "x"), use).wrongs


def test_a_lost_connection_is_no_wrong_answer():
    async def use(wire, log):
        call = a_call(wire, log)
        await call.dial()
        await call.types("1", kind="navigate")

    log = talk(lambda text, _count: (f"CON {text}", "x"), use, close_after=2)
    assert log.faults["connection lost"] == 1
    assert not log.wrongs


@pytest.mark.parametrize(
    ("said", "screen", "wrong"),
    [
        ("CON Kabambe", "home.Nowhere", "not one of"),
        ("END Sorry", "session.Busy", "an excuse while nothing was restarted"),
    ],
)
def test_a_screen_that_nobody_expects(said, screen, wrong):
    async def use(wire, log):
        people = [ME, Neighbour(1, "+254710000001", "63902", Language.ENGLISH, till="3874195")]
        await Life(Town(wire, log, "/ussd", "/ended", "/inbound", "", people, 1), ME).live()

    log = talk(lambda _text, _count: (said, screen), use)
    assert wrong in log.wrongs[0]

"""What a house under test is made of: its clock, its resources, the fake country around it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from rails_under_test import OFFERED, SIGNED, SLOW, rail_clients
from redis import Redis
from sqlalchemy import event
from werkzeug.serving import make_server

from core import db
from core.access.tokens import Keyring
from core.at_rest import Chest
from core.money import kes
from core.otp_codes import OtpKey
from core.seal import Anchor
from core.seal_outside import Outside
from core.sms_orders import Bounds
from gateway import Doors
from gateway.api import limits
from gateway.api.doorkeeper import Doorkeeper
from gateway.api.edge import Api
from gateway.api.quick_look import QuickLook
from menus.conversation import Conversation
from sandbox import country
from sandbox.africastalking.courier import Pace
from workers import pace, queues
from workers.bell import Bell
from workers.caller import Caller
from workers.daraja.line import Line
from workers.queues import Name
from workers.rates import RateFeed
from workers.resources import Resources
from workers.ringing import Bells
from workers.sms.africastalking import AfricasTalking
from workers.transport import Timeouts

MORNING = datetime(2026, 11, 21, 6, 30, tzinfo=UTC)  # 09:30 in Nairobi
KEY = "sandbox-api-key"
SEED = "c2VhbGluZy1mb3ItdGVzdHMtb25seS0zMi1ieXRlcyE="
SIGNING_KEYS = "sandbox:c2lnbmluZy1mb3ItdGVzdHMtb25seS0zMi1ieXRlcyE="
KEYRING = Keyring.parse(SIGNING_KEYS, issuer="http://127.0.0.1:8000/")
OTP_KEY = OtpKey("one-time codes of the tests")
CHEST = Chest("secrets at rest of the tests")
OFTEN = 100_000  # requests a minute: tests of limits build an app with fewer
DOORS = Doors(africastalking="sandbox", rails=SIGNED)
BY_SMS = Bounds(unconfirmed=kes(500_00), day=kes(5_000_00))


class Clock:
    """What time it is, by the tests' word."""

    def __init__(self) -> None:
        self.now = MORNING

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **much: float) -> None:
        self.now += timedelta(**much)


class Worker(queues.Worker):
    """A worker that leaves the signals of the test process alone, and hears no commands."""

    def _install_signal_handlers(self) -> None:
        pass

    def subscribe(self) -> None:
        """Nobody commands it; and the thread that listens takes a fifth of a second to end."""


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Serve an app on a free port."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def resources_of(
    *,
    database: db.Databases,
    redis: Redis,
    clock: Clock,
    ledger_bell: Bell,
    country_url: str,
    outside: Outside,
    line: Line,
    stack: ExitStack,
) -> Resources:
    sender = AfricasTalking(
        username="sandbox",
        api_key=KEY,
        url=f"{country_url}/africastalking",
        sender_id="KABAMBE",
    )
    stack.callback(sender.close)
    feed = RateFeed(f"{country_url}/rates")
    stack.callback(feed.close)
    caller = Caller(loopback=True, timeouts=Timeouts(connect_seconds=1.0, read_seconds=1.0))
    stack.callback(caller.close)
    return Resources(
        databases=database,
        clock=clock,
        bell=ledger_bell,
        sender=sender,
        rates=feed,
        anchor=Anchor(outside),
        otp_key=OTP_KEY,
        by_sms=BY_SMS,
        pace=pace.Pace(redis, clock, per_second=500),
        credit_least=kes(500_00),
        chest=CHEST,
        webhooks=caller,
        mpesa=line,
        heard=Bells(redis, queues.queue(Name.MPESA, redis)).heard,
        rails=rail_clients(country_url, stack),
    )


def _one_each(databases: db.Databases) -> None:
    """
    Let no thread hold two connections of a pool at once.

    Who has one and waits for another waits for ever with as many like it as there are.
    """
    holding: dict[object, int] = {}

    @event.listens_for(databases.kw["bind"], "checkout")
    def _taken(_connection: object, record: object, _proxy: object) -> None:
        thread = threading.get_ident()
        assert thread not in holding.values(), "a second connection for the same request"
        holding[record] = thread

    @event.listens_for(databases.kw["bind"], "checkin")
    def _given_back(_connection: object, record: object) -> None:
        holding.pop(record, None)


@contextmanager
def connected(url: str) -> Iterator[dict[str, db.Databases]]:
    databases = {
        "owner": db.connect(url),
        # Fifty at once are patient here: in life each process has as many threads as connections.
        "web": db.connect(url, role=db.WEB, connections_max=20, turn_seconds=60),
        "worker": db.connect(url, role=db.WORKER, connections_max=20),
    }
    _one_each(databases["web"])
    yield databases
    for each in databases.values():
        each.kw["bind"].dispose()


def api_of(conversation: Conversation, redis: Redis, outside: Outside, **other: Any) -> Api:
    """What programs find here; `other` is what a test wants otherwise."""
    often = other.get("per_minute", OFTEN)
    quick = QuickLook(redis)
    given = {
        "principal": Doorkeeper(KEYRING, quick),
        "keyring": KEYRING,
        "chest": CHEST,
        "limiter": limits.limiter(redis, per_minute=often),
        "public_url": "https://kabambe.test",
        "webhooks_loopback": True,
        "origins": frozenset({"https://app.example"}),
        "per_minute": often,
        "rails": OFFERED,
    }
    return Api(conversation=conversation, outside=outside, **given | other)


@contextmanager
def served_country() -> Iterator[tuple[Flask, str]]:
    """Serve the fake country, in which nothing happens by itself."""
    fake = country.create_app(
        "http://127.0.0.1:9",
        "*384#",
        "sandbox",
        api_key=KEY,
        pace=Pace(report_after=3600),
        rails_pace=SLOW,
    )
    with served(fake) as url:
        yield fake, url
    kept = fake.extensions
    for each in (kept["courier"], kept["safaricom"], *kept["rails"]):
        each.close()

"""
The product as its composition roots build it, with a clock that tests set, in one process.

Orders go through Postgres, Redis and a real RQ worker; SMS go over a socket to the provider's
fake. Only the processes are missing: the worker works off its queue whenever it is rung.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import bank
import requests
import safaricom
from apiflask import APIFlask
from bank import Bank
from flask import Flask
from house_parts import (
    CHEST,
    DOORS,
    KEYRING,
    MORNING,
    OTP_KEY,
    SEED,
    Clock,
    Worker,
    api_of,
    connected,
    resources_of,
    served,
    served_country,
)
from phone import Person, Phone
from rails_under_test import NAMES
from redis import Redis
from safaricom import Safaricom

from core import db, logs, merchants, seal, staff_logins, subscribers
from core.access import keys
from core.access.principals import Permission
from core.codes import Veil
from core.pins import Hasher
from core.seal import Sealer
from core.seal_notes import Signer
from core.seal_outside import Outside
from gateway import Doors, create_app
from gateway.api.edge import Api
from menus.conversation import Conversation
from menus.memories import Memories
from menus.sessions import Dial, RedisSessions
from workers import bell, ledger, queues, resources, staff, strikes
from workers.bell import Bell
from workers.queues import Name
from workers.relay import ACT, Relay

# What the fake country is told before each test, in its own process: it is served for the house.
FORGOTTEN = (
    "/africastalking/messages",
    "/africastalking/faults",
    "/africastalking/account",
    "/rates",
    "/webhooks",
    *(f"/{name}/control/{what}" for name in NAMES for what in ("faults", "book")),
)


@dataclass
class House:
    """One of everything."""

    bank: Bank
    redis: Redis
    clock: Clock
    databases: dict[str, db.Databases]
    conversation: Conversation
    app: Flask
    api: Api
    bell: Bell
    relay: Relay
    sealer: Sealer
    outside: Path
    country: Flask
    country_url: str
    database_url: str
    redis_url: str
    safaricom: Safaricom
    workers_are_there: bool = True
    worker_is_elsewhere: bool = False
    client: Any = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.app.test_client()

    def reset(self) -> None:
        self.clock.now = MORNING
        self.workers_are_there = True
        self.worker_is_elsewhere = False
        self.bank.empty()
        self.sealer._settled = seal._Settled()  # ids begin anew
        for said in self.outside.iterdir():
            said.unlink()
        self.redis.flushdb()
        self.forget_turns()
        for path in FORGOTTEN:
            assert self.country.test_client().delete(path).status_code < 300, path
        if self.safaricom.is_used:
            self.safaricom.reset()

    def register(self, msisdn: str, *, name: str, balance: str = "", language: str = "en"):
        now = self.clock()
        self.bank.open(msisdn, name=name, language=language, balance=balance, now=now)
        return Person(Phone(self, msisdn))

    def forget_calls(self, msisdn: str) -> None:
        """Let ten minutes pass for who was cut off, or had ordered something."""
        _session, left = self.conversation.sessions._keys(Dial("", msisdn, "*384#", ""))
        self.redis.delete(left)

    def forget_turns(self) -> None:
        """As if another process, or one before a deploy, had answered every session's last hop."""
        self.conversation.sessions._memories = Memories(ttl_seconds=300)

    def phone(self, msisdn: str) -> Phone:
        return Phone(self, msisdn)

    def work(self, name: Name) -> None:
        """Let a worker empty its queue."""
        line = queues.queue(name, self.redis)
        Worker(line).work(burst=True, logging_level="WARNING")
        failed = line.failed_job_registry
        assert not failed.count, [line.fetch_job(job).exc_info for job in failed.get_job_ids()]

    def ring(self) -> None:
        """What the door does after an order's commit; the worker is quick."""
        self.bell.ring()
        if self.workers_are_there and not self.worker_is_elsewhere:
            self.bell.beat(timedelta(0))
            self.work(Name.LEDGER)

    def ring_staff(self) -> None:
        """What the door does after staff have decided; the worker is quick."""
        queues.enqueue(queues.queue(Name.LEDGER, self.redis), ACT)
        if self.workers_are_there and not self.worker_is_elsewhere:
            self.work(Name.LEDGER)

    @contextmanager
    def ledger_elsewhere(self) -> Iterator[None]:
        """Let the ledger work in a thread of its own, as it would in a process."""
        self.worker_is_elsewhere = True
        ended = threading.Event()

        def work() -> None:
            while not ended.wait(0.02):
                self.bell.beat(timedelta(0))
                ledger.execute()
                staff.act()

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self.worker_is_elsewhere = False

    @contextmanager
    def crowd(self) -> Iterator[None]:
        """Let fifty wait for the ledger at once, as if in as many processes, however slow it is."""
        with (
            self.ledger_elsewhere(),
            mock.patch.object(self.bell, "_chairs", threading.BoundedSemaphore(50)),
            mock.patch("workers.bell.WAIT_SECONDS_MAX", 60),
            mock.patch("gateway.api.ordering.WAIT_SECONDS_MAX", 60.0),
        ):
            yield

    @contextmanager
    def limited(self, **other: Any) -> Iterator[Any]:
        """A client of an app with the limits that a test wants."""
        api = api_of(self.conversation, self.redis, Outside(self.outside), **other)
        app = create_app(
            databases=self.databases["web"],
            conversation=self.conversation,
            clock=self.clock,
            doors=Doors(africastalking="sandbox"),
            redis_answers=lambda: bell.answers(self.redis),
            outside=Outside(self.outside),
            api=api,
        )
        yield app.test_client()

    def logged_in(self, msisdn: str) -> str:
        """What somebody's app shows that it is theirs, without what went before."""
        return self.bank.log_in(msisdn, keyring=KEYRING, now=self.clock())

    def key_of(self, msisdn: str, permissions: set[str]) -> str:
        """A key that somebody has made for a program."""
        with self.databases["web"].begin() as session:
            made = keys.make(
                session,
                person=subscribers.recipient(session, msisdn=msisdn),
                name="till",
                permissions=[Permission(each) for each in permissions],
                lifetime=keys.Lifetime.DAY,
                actor=bank.OPENER,
                now=self.clock(),
            )
        return made.key

    def hires(self, name: str, password: str) -> str:
        """Let somebody work here; what their authenticator knows."""
        with self.databases["worker"].begin() as session:
            return staff_logins.add(
                session,
                name=name,
                password=password,
                hasher=self.conversation.hasher,
                chest=CHEST,
                actor=bank.OPENER,
                now=self.clock(),
            ).secret

    def opens_till(self, msisdn: str) -> str:
        """Make somebody a merchant."""
        with self.databases["worker"].begin() as session:
            owner = subscribers.recipient(session, msisdn=msisdn).id
            return merchants.open_till(
                session, subscriber=owner, actor=bank.OPENER, now=self.clock()
            )

    def send_messages(self) -> None:
        """Let the relay and the SMS worker do what is staged."""
        self.relay.once()
        self.work(Name.LEDGER)
        self.work(Name.SMS)

    def messages(self, msisdn: str) -> list[dict[str, str]]:
        """What a number has received, once everything staged is sent, in that order."""
        with mock.patch("workers.messages.HANDS", 1):
            self.send_messages()
        url = f"{self.country_url}/africastalking/messages"
        return requests.get(url, params={"to": msisdn}, timeout=5).json()

    def safaricom_works(self) -> None:
        """Let the relay ring for what is due at Safaricom's, and its worker do it."""
        self.relay.once()
        self.work(Name.MPESA)

    def fault(self, **fault: object) -> None:
        """Script the provider's next answers."""
        url = f"{self.country_url}/africastalking/faults"
        requests.post(url, json=fault, timeout=5).raise_for_status()

    def account(self, **terms: object) -> None:
        """Let the provider treat our account otherwise from now on."""
        url = f"{self.country_url}/africastalking/account"
        requests.put(url, json=terms, timeout=5).raise_for_status()


@contextmanager
def build(database_url: str, redis_url: str) -> Iterator[House]:
    """Open everything once for a test process."""
    with ExitStack() as stack:
        # Descriptor 2 is where pytest listens, whatever sys.stderr is by then.
        logs.configure(stack.enter_context(open(2, "w", buffering=1, closefd=False)))
        databases = stack.enter_context(connected(database_url))
        redis = Redis.from_url(redis_url)
        stack.callback(redis.close)
        for role in ("web", "worker"):
            strikes.watch(databases[role], redis)
        clock, hasher = Clock(), Hasher("test-pepper", cheap=True)
        fake, country_url = stack.enter_context(served_country())
        ledger_bell = Bell(redis, queues.queue(Name.LEDGER, redis), waiting_max=6)
        # Safaricom calls back to the web, which is built a few lines on.
        web_url = stack.enter_context(served(lambda *hop: house.app(*hop)))  # noqa: PLW0108 - not built yet
        world = stack.enter_context(safaricom.opened(redis, clock, web_url, country_url))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kabambe-log-")))
        outside = Outside(folder)
        resources.install(
            resources_of(
                database=databases["worker"],
                redis=redis,
                clock=clock,
                ledger_bell=ledger_bell,
                country_url=country_url,
                outside=outside,
                line=world.line,
                stack=stack,
            )
        )
        conversation = Conversation(
            databases=databases["web"],
            sessions=RedisSessions(redis, key="test-key", ttl_seconds=300),
            clock=clock,
            hasher=hasher,
            veil=Veil("veil of the tests"),
            otp_key=OTP_KEY,
            ring=lambda: house.ring(),  # noqa: PLW0108 - the house is built two lines on
            wait=ledger_bell.wait,
            has_mpesa=True,
        )
        api = api_of(conversation, redis, outside, ring_staff=lambda: house.ring_staff())  # noqa: PLW0108 - as above
        house = House(
            bank=Bank(databases["owner"], hasher),
            redis=redis,
            clock=clock,
            databases=databases,
            conversation=conversation,
            app=create_app(
                databases=databases["web"],
                conversation=conversation,
                clock=clock,
                doors=DOORS,
                redis_answers=lambda: bell.answers(redis),
                outside=outside,
                safaricom=safaricom.CALLERS,
                api=api,
            ),
            api=api,
            bell=ledger_bell,
            relay=Relay(databases["worker"], redis, clock, has_mpesa=True),
            sealer=Sealer(databases["worker"], Signer("kabambe.test", SEED), outside, clock),
            outside=folder,
            safaricom=world,
            country=fake,
            country_url=country_url,
            database_url=database_url,
            redis_url=redis_url,
        )
        yield house


def unconnected(folder: Path) -> APIFlask:
    """An app that says what it would do, with nothing behind it."""
    databases, redis = db.connect("postgresql://nobody@127.0.0.1:9/none"), Redis(port=9)
    conversation = Conversation(
        databases=databases,
        sessions=RedisSessions(redis, key="test-key", ttl_seconds=300),
        clock=Clock(),
        hasher=Hasher("test-pepper", cheap=True),
        veil=Veil("veil of the tests"),
        otp_key=OTP_KEY,
        ring=lambda: None,
        wait=lambda _order, _seconds: None,
    )
    return create_app(
        databases=databases,
        conversation=conversation,
        clock=conversation.clock,
        doors=Doors(africastalking="sandbox"),
        redis_answers=lambda: False,
        outside=Outside(folder),
        api=api_of(conversation, redis, Outside(folder)),
    )

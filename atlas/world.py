"""
A small house with a few people in it, the same at every walk, and a phone to dial it with.

PostgreSQL, Redis, the conversation and the ledger are the real ones. Every flow is walked in a
database of its own, cloned from one that is ready, so that no flow sees what another did.
"""

from __future__ import annotations

import itertools
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self
from unittest import mock

import alembic.command
import alembic.config
from redis import Redis
from sqlalchemy import create_engine, make_url, text

from atlas import people
from core import db, execution
from core.db import Databases
from core.orders import Kind
from core.subscribers import Language
from menus import engine
from menus.conversation import Conversation
from menus.engine import Dialogue, Reply
from menus.screen import AnyScreen, Hop, Menu, Pick, View
from menus.sessions import Dial, RedisSessions
from sandbox.engines import Postgres, Valkey

ROOT: Final = Path(__file__).resolve().parents[1]
SERVICE_CODE: Final = "*384#"

_SHOW: Final = engine.show

_LETTERS: Final = "".join(sorted({kind.value[0].upper() for kind in Kind}))
_REFERENCE: Final = re.compile(rf"\b([{_LETTERS}])[0-9A-HJKMNP-TV-Z]{{9}}\b")


@dataclass(frozen=True, slots=True)
class Seen:
    """
    What one hop brought to the handset.

    Args:
        words: The text, every reference as `TQ7X2M4KWZ`: the real ones are random.
        ends: Whether the session ended with it.
        dialogue: The screens walked through; the last is the one that is shown.
        hop: What it was shown with.
        view: What the screen had to say, over all its pages.
        offered: How many numbers there are to choose from.
    """

    words: str
    ends: bool
    dialogue: Dialogue
    hop: Hop
    view: View
    offered: int = 0

    @property
    def screen(self) -> AnyScreen:
        return self.dialogue.top

    @property
    def depth(self) -> int:
        """How far from the first screen it is."""
        return len(self.dialogue.stack)

    @property
    def name(self) -> str:
        return engine.name(type(self.screen))


@dataclass
class World:
    """One database with its people, and what answers their phones."""

    language: Language
    owner: Databases
    worker: Databases
    conversation: Conversation
    codes: list[str]
    """The vouchers' codes: random, so that nobody can guess them."""
    till: str
    _shown: list[tuple[Dialogue, Hop, View, int]] = field(default_factory=list)

    def hear(self, dial: Dial) -> Seen:
        """One hop. The conversation tells nobody which screen it shows: it is looked at."""
        self._shown.clear()
        with mock.patch.object(engine, "show", self._show):
            body = self.conversation.hear(dial)
        assert self._shown, f"no screen said {body!r}"
        verb, _, words = body.partition(" ")
        words = _REFERENCE.sub(r"\1Q7X2M4KWZ", words)
        return Seen(words, verb == "END", *self._shown[-1])

    def _show(self, dialogue: Dialogue, hop: Hop) -> Reply:
        reply = _SHOW(dialogue, hop)
        screen = dialogue.top
        self._shown.append((dialogue, hop, screen.show(hop), _offered(screen, hop)))
        return reply

    def told(self, msisdn: str) -> dict[str, Any]:
        """The facts of the newest message to a number."""
        with self.owner() as session:
            facts = session.scalar(
                text("SELECT facts FROM outbox WHERE msisdn = :to ORDER BY id DESC LIMIT 1"),
                {"to": msisdn},
            )
        return dict(facts or {})


class Phone:
    """A handset in a world: the whole history is sent at every hop, as the aggregator does."""

    def __init__(self, world: World, msisdn: str) -> None:
        self._world = world
        self._msisdn = msisdn
        self._session = ""
        self._said = ""

    def dial(self, code: str = SERVICE_CODE) -> Seen:
        """Open a session."""
        self._session = f"ATUid_{secrets.token_hex(16)}"
        self._said = code.removeprefix("*384").removeprefix("*").removesuffix("#")
        return self._hop()

    def types(self, answer: str) -> Seen:
        """Answer what is shown."""
        self._said = f"{self._said}*{answer}" if self._said else answer
        return self._hop()

    def _hop(self) -> Seen:
        return self._world.hear(
            Dial(
                session_id=self._session,
                msisdn=self._msisdn,
                service_code=SERVICE_CODE,
                text=self._said,
            )
        )


class Worlds:
    """Makes worlds, each as the one before."""

    def __init__(self, server: str, redis: Redis) -> None:
        """
        Prepare.

        Args:
            server: Where databases can be made, as SQLAlchemy takes it.
            redis: Where sessions are kept.
        """
        self._server = server
        self._redis = redis
        self._template = f"kabambe_atlas_{secrets.token_hex(4)}"
        self._numbers = itertools.count(1)
        self._codes: list[str] = []

    def __enter__(self) -> Self:
        """Make the one that all others are clones of."""
        self._run(f'CREATE DATABASE "{self._template}"')
        url = self._url(self._template)
        config = alembic.config.Config(toml_file=str(ROOT / "pyproject.toml"))
        config.set_main_option("script_location", str(ROOT / "migrations"))
        config.attributes["url"] = url
        alembic.command.upgrade(config, "head")
        with _connected(url) as (owner, _web, _worker):
            self._codes[:] = people.settle(owner)
        return self

    def __exit__(self, *_: object) -> None:
        self._run(f'DROP DATABASE IF EXISTS "{self._template}" WITH (FORCE)')

    @contextmanager
    def new(self, language: Language) -> Iterator[World]:
        """Make a world whose people read this language."""
        name = f"{self._template}_{next(self._numbers)}"
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}"')
        try:
            with _connected(self._url(name)) as (owner, web, worker):
                with owner.begin() as session:
                    session.execute(text("UPDATE subscribers SET language = :l"), {"l": language})
                    till = session.scalars(text("SELECT till FROM merchants")).one()
                yield World(
                    language, owner, worker, self._answering(name, web, worker), self._codes, till
                )
        finally:
            self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _answering(self, name: str, web: Databases, worker: Databases) -> Conversation:
        return Conversation(
            databases=web,
            sessions=RedisSessions(self._redis, key=name, ttl_seconds=300),
            clock=lambda: people.MORNING,
            hasher=people.HASHER,
            veil=people.PRESS.veil,
            ring=lambda: _execute(worker),
            wait=lambda *_: None,
        )

    def _url(self, name: str) -> str:
        return make_url(self._server).set(database=name).render_as_string(hide_password=False)

    def _run(self, statement: str) -> None:
        engine_ = create_engine(self._server, isolation_level="AUTOCOMMIT")
        with engine_.connect() as connection:
            connection.execute(text(statement))
        engine_.dispose()


def _offered(screen: AnyScreen, hop: Hop) -> int:
    match screen:
        case Menu():
            return len(screen.options(hop))
        case Pick():
            return len(screen.items(hop))
    return 0


@contextmanager
def opened() -> Iterator[Worlds]:
    """Start engines to be thrown away, and make worlds there."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kabambe-atlas-")))
        postgres, valkey = Postgres(home, fast=True), Valkey(home, fast=True)
        for each in (postgres, valkey):
            stack.callback(each.stop)
            each.start()
        redis = Redis.from_url(valkey.url)
        stack.callback(redis.close)
        yield stack.enter_context(Worlds(db.driver_url(postgres.url), redis))


@contextmanager
def _connected(url: str) -> Iterator[tuple[Databases, Databases, Databases]]:
    """The database as its owner, the web and the workers see it."""
    all_ = (db.connect(url), db.connect(url, role=db.WEB), db.connect(url, role=db.WORKER))
    try:
        yield all_
    finally:
        for each in all_:
            each.kw["bind"].dispose()


def _execute(worker: Databases) -> None:
    execution.execute(worker, now=people.MORNING)

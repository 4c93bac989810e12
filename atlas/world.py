"""
A small house with a few people in it, the same at every walk, and a phone to dial it with.

PostgreSQL, Redis, the conversation and the ledger are the real ones. Every flow is walked in a
database of its own, cloned from one that is ready, so that no flow sees what another did.
"""

from __future__ import annotations

import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from unittest import mock

import alembic.command
import alembic.config
from redis import Redis
from sqlalchemy import create_engine, make_url, text

from atlas import people
from core import db, execution, otp
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

_LETTERS: Final = "".join(sorted({kind.value[0].upper() for kind in Kind} | {"D"}))
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
    conversation: Conversation
    codes: list[str]
    """The vouchers' codes: random, so that nobody can guess them."""
    till: str
    _shown: list[tuple[Dialogue, Hop, View, int]] = field(default_factory=list)

    def hear(self, dial: Dial) -> Seen:
        """One hop. The conversation tells nobody which screen it shows: it is looked at."""
        self._shown.clear()
        with mock.patch.object(engine, "show", self._show):
            body = self.conversation.hear(dial).body
        assert self._shown, f"no screen said {body!r}"
        verb, _, words = body.partition(" ")
        words = _REFERENCE.sub(r"\1Q7X2M4KWZ", words)
        return Seen(words, verb == "END", *self._shown[-1])

    def _show(self, dialogue: Dialogue, hop: Hop) -> Reply:
        reply = _SHOW(dialogue, hop)
        screen = dialogue.top
        self._shown.append((dialogue, hop, screen.show(hop), _offered(screen, hop)))
        return reply

    def code(self) -> str:
        """The digits of the newest one-time code: they are in its SMS alone."""
        with self.owner() as session:
            newest = session.scalars(text("SELECT max(id) FROM otps")).one()
            code = otp.code_of(session, otp=newest, key=people.OTP_KEY, now=people.MORNING)
        assert code is not None
        return code.digits


@dataclass(frozen=True, slots=True)
class _Place:
    """A database as its owner, the web and the workers see it."""

    name: str
    owner: Databases
    web: Databases
    worker: Databases

    @classmethod
    def at(cls, url: str) -> Self:
        return cls(
            make_url(url).database or "",
            db.connect(url),
            db.connect(url, role=db.WEB),
            db.connect(url, role=db.WORKER),
        )

    def execute(self) -> None:
        """Do what the ledger worker does when the bell rings."""
        execution.execute(self.worker, now=people.MORNING)

    def written(self) -> int:
        """How far the server's transactions have come: the same as before if none has written."""
        with self.owner() as session:
            asked = text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
            return int(session.scalars(asked).one())

    def leave(self) -> None:
        for each in (self.owner, self.web, self.worker):
            each.kw["bind"].dispose()


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
        self._codes: list[str] = []
        self._till = ""
        self._untouched: _Place | None = None

    def __enter__(self) -> Self:
        """Make the one that all others are clones of."""
        self._run(f'CREATE DATABASE "{self._template}"')
        url = self._url(self._template)
        config = alembic.config.Config(toml_file=str(ROOT / "pyproject.toml"))
        config.set_main_option("script_location", str(ROOT / "migrations"))
        config.attributes["url"] = url
        alembic.command.upgrade(config, "head")
        place = _Place.at(url)
        try:
            self._codes[:] = people.settle(place.owner)
            with place.owner() as session:
                self._till = session.scalars(text("SELECT till FROM merchants")).one()
        finally:
            place.leave()
        return self

    def __exit__(self, *_: object) -> None:
        if self._untouched is not None:
            self._drop(self._untouched)
        self._run(f'DROP DATABASE IF EXISTS "{self._template}" WITH (FORCE)')

    @contextmanager
    def new(self, language: Language) -> Iterator[World]:
        """Make a world whose people read this language; one in which nothing was done serves on."""
        place = self._untouched or self._cloned()
        self._untouched = None
        try:
            with place.owner.begin() as session:
                session.execute(text("UPDATE subscribers SET language = :l"), {"l": language})
            began = place.written()
            yield World(
                language, place.owner, self._answering(place), codes=self._codes, till=self._till
            )
            if place.written() == began:
                self._untouched = place
        finally:
            if self._untouched is None:
                self._drop(place)

    def _cloned(self) -> _Place:
        name = f"{self._template}_{secrets.token_hex(4)}"
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}"')
        return _Place.at(self._url(name))

    def _drop(self, place: _Place) -> None:
        place.leave()
        self._run(f'DROP DATABASE "{place.name}" WITH (FORCE)')

    def _answering(self, place: _Place) -> Conversation:
        return Conversation(
            databases=place.web,
            # Under a key of its own: what one way left behind is not there for the next.
            sessions=RedisSessions(self._redis, key=secrets.token_hex(8), ttl_seconds=300),
            clock=lambda: people.MORNING,
            hasher=people.HASHER,
            veil=people.PRESS.veil,
            otp_key=people.OTP_KEY,
            ring=lambda: place.execute(),  # noqa: PLW0108 - what it returns is nobody's
            wait=lambda *_: None,
            has_mpesa=True,
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

"""
Connections, the declarative base, and the one place where a transaction is retried.
"""

from __future__ import annotations

import math
import re
import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache, partial
from typing import Any, Final, TypeVar

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, set_wait_callback
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, whatever its case
from sqlalchemy import Engine, MetaData, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry, Pool, QueuePool

from core.breaker import PROBE_SECONDS, Breaker, Way

R = TypeVar("R")
Databases = sessionmaker[Session]

WEB: Final = "kabambe_web"
WORKER: Final = "kabambe_worker"
STAFF: Final = "kabambe_staff"

TRIES_MAX: Final = 3
_ALONE: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
# unique_violation, serialization_failure, deadlock_detected: the other one won; look again.
_CONFLICTS: Final = frozenset({"23505", "40001", "40P01"})
# undefined_function, undefined_table, undefined_column
_UNMIGRATED: Final = frozenset({"42883", "42P01", "42703"})


class Base(DeclarativeBase):
    """Every table of ours; constraints are named so that migrations can speak of them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def driver_url(url: str) -> str:
    """Name the driver in a database URL, however its giver wrote the scheme."""
    return re.sub(r"^postgres(ql)?(\+psycopg2)?://", "postgresql+psycopg2://", url)


class _Patience(threading.local):
    """Until when this thread waits for the database (`time.monotonic`)."""

    until: float = math.inf
    probes_until: float = math.inf

    @property
    def left(self) -> float | None:
        """How many seconds are left; None where there is no end."""
        until = min(self.until, self.probes_until)
        return None if until == math.inf else max(until - time.monotonic(), 0)


_patience = _Patience()


def allow(seconds: float) -> None:
    """
    Give whatever this thread asks the database from now on no more than so long in all.

    Means something only in a process that has called `wait_in_time`.
    """
    _patience.until = time.monotonic() + seconds
    _patience.probes_until = math.inf


class Silence(psycopg2.OperationalError):
    """The database did not answer in time; to ask it again at once would take as long."""


def wait_in_time() -> Breaker:
    """
    Let every connection of this process give up when its thread's time is over.

    A server that is frozen, or behind a network that swallows packets, keeps no timeout of its
    own: `statement_timeout` is the server's, and nothing else would end a wait for an answer.

    Returns:
        What learns of every answer and every silence, for `connect`.
    """
    breaker = Breaker()
    set_wait_callback(partial(_wait, breaker))
    return breaker


def _wait(breaker: Breaker, connection: Connection) -> None:
    """
    Wait for an answer (psycopg2's wait callback). The connection is closed when this raises.

    Raises:
        Silence: There was none in time.
    """
    while (state := connection.poll()) != POLL_OK:
        lines = [connection.fileno()]
        to_read, to_write = (lines, []) if state == POLL_READ else ([], lines)
        if not any(select.select(to_read, to_write, [], _patience.left)):
            breaker.was_silent()
            if _patience.probes_until != math.inf:
                breaker.probed()
            raise Silence("the database did not answer in time")
    breaker.answered()
    _patience.probes_until = math.inf


def _pool(breaker: Breaker) -> type[Pool]:
    """Make the kind of pool that gives nobody a connection to a database that is silent."""

    class Guarded(QueuePool):
        def _do_get(self) -> ConnectionPoolEntry:
            way = breaker.way()
            if way is Way.SHUT:
                raise NoConnection("the database did not answer before")
            if way is Way.PROBE:
                _patience.probes_until = time.monotonic() + PROBE_SECONDS
            try:
                return super()._do_get()
            except Exception as error:
                if isinstance(error, NoConnection):  # all are taken, and none was given back
                    breaker.was_silent()
                if way is Way.PROBE:
                    breaker.probed()
                raise

    return Guarded


def connect(
    url: str,
    *,
    role: str | None = None,
    connections_max: int = 10,
    turn_seconds: float = 5,
    breaker: Breaker | None = None,
) -> Databases:
    """
    Open a pool of connections.

    Args:
        url: A PostgreSQL URL.
        role: What every connection becomes (`SET ROLE`); None stays who it logged in as.
        connections_max: How many connections the pool may hold.
        turn_seconds: How long to wait for one of them when all are taken.
        breaker: What `wait_in_time` gave: while the database is silent nobody is let to it but
            one at a time, and whoever is not gets SQLAlchemy's TimeoutError at once.
    """
    engine = create_engine(
        driver_url(url),
        pool_size=connections_max,
        max_overflow=0,
        poolclass=None if breaker is None else _pool(breaker),
        pool_timeout=turn_seconds,
        pool_pre_ping=False,
        hide_parameters=True,  # an error report must not carry what people typed
        connect_args={
            "connect_timeout": 5,
            # A server whose machine went says nothing: ask, and give up within half a minute.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 25_000,
            "options": "-c statement_timeout=8000 -c lock_timeout=4000 -c timezone=UTC"
            " -c idle_in_transaction_session_timeout=20000",
        },
    )
    if role is not None:

        @event.listens_for(engine, "connect")
        def _become(connection: DBAPIConnection, _record: object) -> None:
            cursor = connection.cursor()
            cursor.execute(f'SET ROLE "{role}"')
            cursor.close()
            connection.commit()

    return sessionmaker(engine, expire_on_commit=False)


def become_staff(session: Session) -> None:
    """Let a transaction see what staff see, until it ends; the web alone sees less."""
    session.execute(text(f'SET LOCAL ROLE "{STAFF}"'))


def fetched(session: Session, statement: str, parameters: Sequence[object]) -> Sequence[Any]:
    """
    Run a statement in the driver's own words, and have all its rows, by a cursor of the driver's.

    For the ledger's call alone, whose rows SQLAlchemy takes longer to wrap than we to ask for them;
    whoever listens to an engine's statements does not hear of it.

    Args:
        session: A transaction.
        statement: With `%s` where parameters go.
        parameters: In their order.

    Raises:
        DBAPIError: What SQLAlchemy would raise; a connection that went is given up, as by it.
    """
    connection = session.connection()
    raw = connection.connection
    try:
        with closing(raw.cursor()) as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall()
    except psycopg2.Error as error:
        has_gone = connection.dialect.is_disconnect(error, raw.dbapi_connection, None)  # type: ignore[arg-type]  # a protocol of its own
        if has_gone:
            connection.invalidate(error)
        raise DBAPIError.instance(
            statement,
            None,
            error,
            psycopg2.Error,
            hide_parameters=True,
            connection_invalidated=has_gone,
            dialect=connection.dialect,
        ) from error


def is_passing(error: DBAPIError) -> bool:
    """
    Whether the same work, done again, may succeed: another transaction won, or the server went.

    Work that was committed just before its connection broke is done twice by this: everything
    given to `transact` must be harmless to repeat, which is what keys are for.
    """
    if isinstance(error.orig, Silence):
        return False
    return error.connection_invalidated or getattr(error.orig, "pgcode", None) in _CONFLICTS


def is_of_the_database(error: Exception) -> bool:
    """Whether the server went, or was too slow: what was to be done is not at fault."""
    return isinstance(error, OperationalError | InterfaceError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )


def is_unmigrated(error: Exception) -> bool:
    """Whether the database lacks a table, column or function: it is not, or not yet, ours."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "pgcode", None) in _UNMIGRATED


def transact(databases: Databases, work: Callable[[Session], R]) -> R:
    """
    Do `work` in one transaction; do it again when another transaction won.

    A loser's retry finds the winner's rows, which is what makes idempotency keys race-free.
    """
    for attempt in range(1, TRIES_MAX + 1):
        try:
            with databases.begin() as session:
                return work(session)
        except DBAPIError as error:
            if attempt == TRIES_MAX or not is_passing(error):
                raise
    raise AssertionError("unreachable")


def alone(session: Session, name: str) -> None:
    """Let one transaction at a time do what has this name, until it ends: also without a row."""
    session.execute(_ALONE, {"name": name})


@cache
def _autocommitting(engine: Engine) -> Engine:
    """The same pool, its connections without transactions."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


class Unit:
    """
    The one transaction of a hop, begun when somebody first asks for its session.

    A hop that asks for nothing costs no SQL at all.
    """

    def __init__(self, databases: Databases, *, before: Callable[[], None] = lambda: None) -> None:
        """Remember where a session can be had, and what is called before one is, or refuses it."""
        self._databases = databases
        self._before = before
        self.is_in_doubt = False
        self._is_asked_for = False
        self._session: Session | None = None
        self._reading: Session | None = None

    @property
    def reading(self) -> Session:
        """
        A session for a look at what stands committed, without a transaction around it.

        Half of what a lone SELECT costs is its BEGIN and COMMIT. Once the transaction's session
        was asked for it is that one: who held a connection and waited for another would, with as
        many like it as the pool has connections, wait for ever.
        """
        if self._session is not None and self._is_asked_for:
            return self._session
        if self._reading is None:
            self._before()
            self._reading = self._databases(bind=_autocommitting(self._databases.kw["bind"]))
        return self._reading

    @property
    def session(self) -> Session:
        """The session of this transaction; its first statement begins it."""
        if self._reading is not None:
            self._reading.close()
            self._reading = None
        if self._session is None:
            self._before()
            self._session = self._databases()
        self._is_asked_for = True
        return self._session

    @contextmanager
    def undone_on(self, *refusals: type[Exception]) -> Iterator[None]:
        """Undo what happens inside when it is refused, and only that. The refusal goes on."""
        if self._session is not None and self._session.in_transaction():
            with self._session.begin_nested():
                yield
            return
        try:
            yield
        except refusals:
            self.close()
            raise

    def commit(self) -> None:
        """
        Make everything so far permanent, and give the connections back.

        Asking for a session again begins anew. When this raises because the server went,
        `is_in_doubt` stays set: it may have been made permanent all the same.
        """
        if self._reading is not None:
            self._reading.close()
            self._reading = None
        if self._session is not None:
            self.is_in_doubt = self._session.in_transaction()
            self._session.commit()
            self.is_in_doubt = self._is_asked_for = False

    def close(self) -> None:
        """Give up what was not committed, and give the connection back."""
        for session in (self._session, self._reading):
            if session is not None:
                session.close()
        self._session = self._reading = None

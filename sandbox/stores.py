"""The stores the product stands on: whether they answer, and whether the schema is the newest."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg2
import redis

from sandbox.engines.places import REPOSITORY

_VERSIONS = REPOSITORY / "migrations" / "versions"
_REVISION = re.compile(r"^(down_)?revision\b[^=]*=\s*(.+)$", re.MULTILINE)
_QUOTED = re.compile(r"[\"']([^\"']+)[\"']")
_CONNECT_SECONDS = 5


class Unreachable(Exception):
    """A store does not answer; the words say what to look at, and hold no password."""


def heads(versions: Path = _VERSIONS) -> set[str]:
    """The revisions that no other stands upon, read from the files."""
    ours: set[str] = set()
    stood_upon: set[str] = set()
    for path in versions.glob("*.py"):
        for down, value in _REVISION.findall(path.read_text(encoding="utf-8")):
            (stood_upon if down else ours).update(_QUOTED.findall(value))
    return ours - stood_upon


def check_redis(redis_url: str) -> None:
    """
    See that a Redis answers.

    Raises:
        Unreachable: none does.
    """
    try:
        _redis(redis_url).ping()
    except redis.RedisError as error:
        raise Unreachable(f"no Redis answers at REDIS_URL: {error}") from None
    except ValueError:  # its words might repeat the address, password included
        raise Unreachable(
            "REDIS_URL is no address of a Redis: write redis://:password@host:6379/0"
        ) from None


def is_current(database_url: str) -> bool:
    """
    Whether the database is at the newest revision, found out faster than by Alembic.

    Args:
        database_url: as SQLAlchemy takes it.

    Raises:
        Unreachable: nobody answers there.
    """
    try:
        return set(_ask(database_url, "SELECT version_num FROM alembic_version")) == heads()
    except psycopg2.errors.UndefinedTable:
        return False
    except psycopg2.OperationalError as error:
        reason = str(error).strip().partition("\n")[0]
        raise Unreachable(f"no PostgreSQL answers at DATABASE_URL: {reason}") from None
    except psycopg2.ProgrammingError:  # its words would repeat the address, password included
        raise Unreachable(
            "DATABASE_URL is no address of a PostgreSQL:"
            " write postgresql://name:password@host/database"
        ) from None


def working(redis_url: str) -> set[int]:
    """The process ids of the workers that listen to their queue, by RQ's own list of them."""
    client = _redis(redis_url)
    try:
        names = client.smembers("rq:workers")
        return {int(pid) for name in names if (pid := client.hget(name, "pid"))}
    except redis.RedisError:
        return set()


def is_relayed(database_url: str) -> bool:
    """Whether somebody listens for what is staged."""
    listening = (
        "SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND query LIKE 'LISTEN %'"
    )
    try:
        return bool(_ask(database_url, listening))
    except psycopg2.OperationalError:
        return False


def _redis(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=_CONNECT_SECONDS,
        socket_timeout=_CONNECT_SECONDS,
        decode_responses=True,
    )


def _ask(database_url: str, question: str) -> list[object]:
    """The first column of an answer."""
    dsn = re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", database_url)
    connection = psycopg2.connect(dsn, connect_timeout=_CONNECT_SECONDS)
    try:
        with connection.cursor() as cursor:
            cursor.execute(question)
            return [row[0] for row in cursor.fetchall()]
    finally:
        connection.close()

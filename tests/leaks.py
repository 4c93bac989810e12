"""
Whether a secret was kept or said anywhere: in a table, in Redis, or in what was logged.

A secret of a few digits also stands in times, references and digests by chance. So a time says
nothing, and digits beside other digits or letters of a digest are of that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bank import Bank
from redis import Redis

_TIMES = re.compile(r'"timestamp":"[^"]*"|\d\d:\d\d:\d\d[.,]\d+|\d+\.\d{3,}')


def tells(said: str | bytes, secret: str) -> bool:
    """Whether this secret is in what was said, other than by chance."""
    text = said.decode("latin1") if isinstance(said, bytes) else said
    return bool(re.search(rf"(?<![0-9a-f]){re.escape(secret)}(?![0-9a-f])", _TIMES.sub("", text)))


def tables(bank: Bank, secret: str) -> list[str]:
    """The tables that tell it."""
    names = bank.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return [
        name
        for [name] in names
        if any(tells(str(row), secret) for row in bank.rows(f'SELECT * FROM "{name}"'))
    ]


def keys(redis: Redis, secret: str) -> list[bytes]:
    """The keys in Redis that tell it, in themselves or by what is under them."""
    return [
        key
        for key in redis.scan_iter()
        if any(tells(piece, secret) for piece in (key, *_under(redis, key)))
    ]


def _under(redis: Redis, key: bytes) -> Iterator[bytes]:
    kind = redis.type(key)
    if kind == b"string":
        yield redis.get(key) or b""
    elif kind == b"hash":
        for pair in redis.hgetall(key).items():
            yield from pair
    elif kind == b"list":
        yield from redis.lrange(key, 0, -1)
    elif kind == b"set":
        yield from redis.smembers(key)
    elif kind == b"zset":
        yield from redis.zrange(key, 0, -1)
    elif kind == b"stream":
        for _id, fields in redis.xrange(key):
            for pair in fields.items():
                yield from pair
    else:
        raise AssertionError(f"{key!r} is of a kind that nobody looks into: {kind!r}")

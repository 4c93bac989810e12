"""
USSD sessions between two hops: a turn is claimed once, and answered once.

Africa's Talking resends everything typed so far in `text` on every hop, PIN included, and repeats
a hop when it is in doubt. One call opens a turn, one commits it; both are a single script, so two
hops at once can never both act. Of `text` only lengths and keyed hashes are kept: a plain hash of
something that holds a four-digit PIN could be undone by trying all of them.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from hashlib import blake2b, sha1, sha256
from typing import Any, Final, Protocol

import orjson
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

LEASE_MS: Final = 10_000
HOPS_MAX: Final = 100

_NAMESPACE: Final = "kabambe:ussd:"

# Returns what the turn is, and the fields that go with it. `r:<digest>` holds the answer given to
# each text, so that a repeat of any earlier hop is answered byte for byte the same. The caller
# guesses how much of the text was heard before, which is nearly always all but the last answer.
_OPEN: Final = """
local key = KEYS[1]
local owner, position, digest, token = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local guess, guess_digest = tonumber(ARGV[5]), ARGV[6]
local lease_ms, ttl, hops_max = tonumber(ARGV[7]), ARGV[8], tonumber(ARGV[9])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local kept = redis.call('HMGET', key, 'owner', 'heard', 'digest', 'until', 'state', 'last', 'hops',
    'token', 'r:' .. digest)
local heard, hops = tonumber(kept[2] or '-1'), tonumber(kept[7] or '0')
if kept[1] and kept[1] ~= owner then return {'foreign'} end
if kept[9] then return {'replay', kept[9]} end
if kept[4] and tonumber(kept[4]) > now and kept[8] ~= token then return {'pending'} end
if heard >= 0 then
    if position <= heard then
        if hops < hops_max then
            redis.call('HSET', key, 'r:' .. digest, kept[6], 'hops', hops + 1)
        end
        return {'stale', kept[6]}
    end
    if guess ~= heard then return {'heard', heard} end
    if guess_digest ~= kept[3] or hops >= hops_max then return {'gap'} end
end
redis.call('HSET', key, 'owner', owner, 'token', token, 'until', now + lease_ms, 'hops', hops + 1)
if not kept[1] then redis.call('EXPIRE', key, ttl) end
if heard < 0 then return {'new'} end
return {'next', heard, kept[5]}
"""

# A holder whose lease ran out, and whose turn somebody else has taken since, may not answer:
# it gets the other's answer, or none yet. A session that is gone (Redis was emptied) is made anew.
_COMMIT: Final = """
local key = KEYS[1]
local owner, position, digest, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local reply, state, ttl = ARGV[5], ARGV[6], ARGV[7]
local kept = redis.call('HMGET', key, 'owner', 'token')
if kept[1] and (kept[1] ~= owner or kept[2] ~= token) then
    return redis.call('HGET', key, 'r:' .. digest) or redis.call('HGET', key, 'last')
end
redis.call('HSET', key, 'owner', owner, 'heard', position, 'digest', digest, 'state', state,
    'last', reply, 'r:' .. digest, reply, 'until', 0)
redis.call('EXPIRE', key, ttl)
return reply
"""


class Turn(StrEnum):
    """What a hop is to its session."""

    NEW = "new"
    """The session begins, or is not remembered."""
    NEXT = "next"
    """It continues what was heard; it is ours to answer."""
    REPLAY = "replay"
    """It was answered before: the same answer again."""
    PENDING = "pending"
    """A hop of this session is being worked on."""
    STALE = "stale"
    """It is older than what was heard."""
    GAP = "gap"
    """It does not continue what was heard, or there were too many hops."""
    FOREIGN = "foreign"
    """The session belongs to another number or service code."""


@dataclass(frozen=True, slots=True)
class Dial:
    """
    One hop as an aggregator tells it.

    `text` is everything typed so far, joined by `*`; it may hold PINs and is not shown.
    """

    session_id: str
    msisdn: str
    service_code: str
    text: str

    def __repr__(self) -> str:
        return f"Dial({self.session_id!r}, heard {len(self.text)})"

    @property
    def owner(self) -> str:
        return f"{self.msisdn} {self.service_code}"


@dataclass(frozen=True, slots=True)
class Opened:
    """
    What opening a turn found.

    Args:
        turn: What the hop is to its session.
        reply: The answer to give again (replay, stale).
        heard: How much of the text was answered before (next).
        state: The session as it was saved (next).
        token: What proves that the turn is ours when it is committed.
        digest: The keyed hash of the text, under which its answer is kept.
    """

    turn: Turn
    token: str
    digest: str = ""
    reply: str = ""
    heard: int = 0
    state: dict[str, Any] | None = None


class Sessions(Protocol):
    """Where sessions are kept between hops."""

    def open(self, dial: Dial) -> Opened: ...

    def commit(self, dial: Dial, opened: Opened, *, reply: str, state: dict[str, Any]) -> str:
        """Answer the turn; returns the answer to give, which is another's if it was taken over."""
        ...


class _Scripts(threading.local):
    """
    Runs scripts over one connection per thread, below redis-py's command layer.

    That layer (pool, retries, metrics, response callbacks) costs three times what the call itself
    does, and a navigation hop is little more than its two calls.
    """

    def __init__(self, redis: Redis) -> None:
        """Take a connection of this thread's own at its first call."""
        pool = redis.connection_pool
        # Not from the pool, to which a thread that ends could not give it back; it closes itself.
        self._connect = partial(pool.connection_class, **pool.connection_kwargs)
        self._line: Any = None  # redis-py leaves its connections half typed

    def call(self, script: str, key: str, args: Sequence[str | int | bytes]) -> Any:  # noqa: ANN401 - whatever the script returns
        """
        Run a script on one key. Tried twice, as an idle connection may have gone.

        Raises:
            RedisError: Redis did not answer.
        """
        digest = sha1(script.encode(), usedforsecurity=False).hexdigest()
        for attempt in range(3):
            line = self._line = self._line or self._connect()
            try:
                line.send_command("EVALSHA", digest, 1, key, *args)
                return line.read_response()
            except NoScriptError:  # Redis is new, or was emptied
                line.send_command("SCRIPT", "LOAD", script)
                line.read_response()
            except (RedisConnectionError, RedisTimeoutError):
                line.disconnect()  # a late answer must not be taken for the next one's
                if attempt:
                    raise
        raise RedisConnectionError("Redis forgets its scripts")


def connect(url: str) -> Redis:
    """
    Open connections for a door, which must answer within a second even when Redis does not.

    A call is tried twice, because a pooled connection may have gone while it was idle. The second
    try of an open that was heard the first time finds the turn its own: the token is the same.
    """
    return Redis.from_url(
        url, socket_timeout=0.45, socket_connect_timeout=0.45, retry=Retry(NoBackoff(), 1)
    )


class RedisSessions:
    """Sessions as Redis hashes that expire."""

    def __init__(self, redis: Redis, *, key: str, ttl_seconds: int) -> None:
        """
        Prepare.

        Args:
            redis: A connection pool with a socket timeout.
            key: The secret under which texts are hashed.
            ttl_seconds: How long a session is remembered after its last hop.
        """
        self._scripts = _Scripts(redis)
        self._key = sha256(key.encode()).digest()
        self._ttl_seconds = ttl_seconds

    def open(self, dial: Dial) -> Opened:
        """Claim the turn, or find out why it is not ours."""
        token, digest = secrets.token_hex(8), self._digest(dial, dial.text)
        key, guess = _NAMESPACE + dial.session_id, dial.text.rpartition("*")[0]
        mine = (dial.owner, len(dial.text), digest, token)
        limits = (LEASE_MS, self._ttl_seconds, HOPS_MAX)
        while True:
            guessed = (len(guess), self._digest(dial, guess))
            found = self._scripts.call(_OPEN, key, (*mine, *guessed, *limits))
            if found[0] != b"heard":
                break
            heard = int(found[1])
            if heard and dial.text[heard] != "*":
                return Opened(Turn.GAP, token, digest)
            guess = dial.text[:heard]
        turn = Turn(found[0].decode())
        match turn:
            case Turn.NEXT:
                return Opened(
                    turn, token, digest, heard=int(found[1]), state=orjson.loads(found[2])
                )
            case Turn.REPLAY | Turn.STALE:
                return Opened(turn, token, digest, found[1].decode())
        return Opened(turn, token, digest)

    def commit(self, dial: Dial, opened: Opened, *, reply: str, state: dict[str, Any]) -> str:
        """Answer the turn; returns the answer to give, which is another's if it was taken over."""
        kept = self._scripts.call(
            _COMMIT,
            _NAMESPACE + dial.session_id,
            [
                dial.owner,
                len(dial.text),
                opened.digest,
                opened.token,
                reply,
                orjson.dumps(state),
                self._ttl_seconds,
            ],
        )
        return reply if kept is None else str(kept.decode())

    def _digest(self, dial: Dial, text: str) -> str:
        """Hash a text that may hold a PIN so that nobody without the key can try them all."""
        said = f"{dial.session_id}\0{text}".encode()
        return blake2b(said, key=self._key, digest_size=16).hexdigest()

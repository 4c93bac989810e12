"""
USSD sessions between two hops: a turn is claimed once, and answered once.

Africa's Talking resends everything typed so far in `text` on every hop, PIN included, and repeats
a hop when it is in doubt. One call opens a turn, one commits it; both are a single script, so two
hops at once can never both act. Of `text` only lengths and keyed hashes are kept: a plain hash of
something that holds a four-digit PIN could be undone by trying all of them.

What a caller left, when a session was cut off or had ordered something, is kept for ten minutes
under their number and service code, of which again there is only a keyed hash. The same two scripts
read and write it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b, sha256
from typing import Any, Final, Protocol, Self

import orjson
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from menus.deadline import NEVER, Deadline
from menus.networks import UNKNOWN, Network
from menus.scripts import Script, Scripts

LEASE_MS: Final = 10_000
HOPS_MAX: Final = 100
LEFT_SECONDS: Final = 600

_NAMESPACE: Final = "kabambe:ussd:"
_LEFT: Final = "kabambe:ussd-left:"
_TRY_SECONDS: Final = 0.45


# Returns what the turn is, and the fields that go with it. `r:<digest>` holds the answer given to
# each text, so that a repeat of any earlier hop is answered byte for byte the same. The caller
# guesses how much of the text was heard before, which is nearly always all but the last answer.
# Of what a new session's caller left, it tells whether a hop of that session is under way still.
_OPEN: Final = Script("""
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
if heard < 0 then
    local left = redis.call('GET', KEYS[2])
    local held = left and redis.call('HGET', ARGV[10] .. string.match(left, '^[^\\n]*'), 'until')
    return {'new', left, held and tonumber(held) > now and 1 or 0}
end
return {'next', heard, kept[5]}
""")

# A holder whose lease ran out, and whose turn somebody else has taken since, may not answer:
# it gets the other's answer, or none yet. A session that is gone (Redis was emptied) is made anew.
# What is left behind is the state, or nothing (`drop`), or what was left before (`leave`).
_COMMIT: Final = Script("""
local key = KEYS[1]
local owner, position, digest, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local reply, state, ttl = ARGV[5], ARGV[6], ARGV[7]
local keeps, session, left_ttl = ARGV[8], ARGV[9], ARGV[10]
local kept = redis.call('HMGET', key, 'owner', 'token')
if kept[1] and (kept[1] ~= owner or kept[2] ~= token) then
    return redis.call('HGET', key, 'r:' .. digest) or redis.call('HGET', key, 'last')
end
redis.call('HSET', key, 'owner', owner, 'heard', position, 'digest', digest, 'state', state,
    'last', reply, 'r:' .. digest, reply, 'until', 0)
redis.call('EXPIRE', key, ttl)
if keeps == 'keep' then
    redis.call('SET', KEYS[2], session .. '\\n' .. state, 'EX', left_ttl)
elseif keeps == 'drop' then
    redis.call('DEL', KEYS[2])
end
return reply
""")


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


class Keeps(StrEnum):
    """What an answered turn leaves for the caller's next session."""

    KEEP = "keep"
    """This state: to go on from, or to be told of."""
    DROP = "drop"
    """Nothing, whatever there was."""
    LEAVE = "leave"
    """What there was."""


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
    network: Network = UNKNOWN

    def __repr__(self) -> str:
        return f"Dial({self.session_id!r}, heard {len(self.text)})"

    @property
    def owner(self) -> str:
        return f"{self.msisdn} {self.service_code}"


@dataclass(frozen=True, slots=True)
class Said:
    """
    What a hop is answered with.

    Args:
        body: `CON …` or `END …`.
        screen: The name of the screen it shows: all that the aggregator learns for its figures.
    """

    body: str
    screen: str

    def pack(self) -> str:
        """One string of both, so that a repeat costs one call."""
        return f"{self.screen}\n{self.body}"

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """Take it apart; what was kept before a deploy is a body alone."""
        text = packed.decode()
        if text.startswith(("CON ", "END ")):
            return cls(text, "")
        screen, _, body = text.partition("\n")
        return cls(body, screen)


@dataclass(frozen=True, slots=True)
class Left:
    """
    What a caller left behind in an earlier session, not ten minutes ago.

    Args:
        session_id: Which it was.
        state: Where it was.
        is_held: Whether a hop of it is being worked on: nobody knows what comes of that.
    """

    session_id: str
    state: dict[str, Any]
    is_held: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """
    What opening a turn found.

    Args:
        turn: What the hop is to its session.
        token: What proves that the turn is ours when it is committed.
        digest: The keyed hash of the text, under which its answer is kept.
        keys: Where the session is, and what its caller left.
        said: The answer to give again (replay, stale).
        heard: How much of the text was answered before (next).
        state: The session as it was saved (next).
        left: What an earlier session left behind (new).
    """

    turn: Turn
    token: str
    digest: str
    keys: tuple[str, str]
    said: Said | None = None
    heard: int = 0
    state: dict[str, Any] | None = None
    left: Left | None = None


class Sessions(Protocol):
    """Where sessions are kept between hops."""

    def open(self, dial: Dial, *, deadline: Deadline = NEVER) -> Opened: ...

    def commit(
        self,
        dial: Dial,
        opened: Opened,
        *,
        said: Said,
        state: dict[str, Any],
        keeps: Keeps = Keeps.LEAVE,
        deadline: Deadline = NEVER,
    ) -> Said:
        """Answer the turn; returns the answer to give, which is another's if it was taken over."""
        ...


def connect(url: str, *, blocks_seconds: float = 0) -> Redis:
    """
    Open connections for a door, which must answer within a second even when Redis does not.

    A call is tried twice, because a pooled connection may have gone while it was idle. The second
    try of an open that was heard the first time finds the turn its own: the token is the same.

    Args:
        url: Where Redis is.
        blocks_seconds: How long commands may block on purpose. Those are tried once.
    """
    return Redis.from_url(
        url,
        socket_timeout=_TRY_SECONDS + blocks_seconds,
        socket_connect_timeout=_TRY_SECONDS,
        retry=Retry(NoBackoff(), 0 if blocks_seconds else 1),
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
        self._scripts = Scripts(redis)
        self._key = sha256(key.encode()).digest()
        self._ttl_seconds = ttl_seconds

    def open(self, dial: Dial, *, deadline: Deadline = NEVER) -> Opened:
        """Claim the turn, or find out why it is not ours."""
        token, digest = secrets.token_hex(8), self._digest(dial, dial.text)
        guess, keys = dial.text.rpartition("*")[0], self._keys(dial)
        mine = (dial.owner, len(dial.text), digest, token)
        limits = (LEASE_MS, self._ttl_seconds, HOPS_MAX, _NAMESPACE)
        while True:
            guessed = (len(guess), self._digest(dial, guess))
            args = (*mine, *guessed, *limits)
            found = self._scripts.call(_OPEN, keys, args, deadline)
            if found[0] != b"heard":
                break
            heard = int(found[1])
            if heard and dial.text[heard] != "*":
                return Opened(Turn.GAP, token, digest, keys)
            guess = dial.text[:heard]
        turn = Turn(found[0].decode())
        match turn:
            case Turn.NEW:
                return Opened(turn, token, digest, keys, left=_left(*found[1:]))
            case Turn.NEXT:
                heard, state = int(found[1]), orjson.loads(found[2])
                return Opened(turn, token, digest, keys, heard=heard, state=state)
            case Turn.REPLAY | Turn.STALE:
                return Opened(turn, token, digest, keys, Said.unpack(found[1]))
        return Opened(turn, token, digest, keys)

    def commit(
        self,
        dial: Dial,
        opened: Opened,
        *,
        said: Said,
        state: dict[str, Any],
        keeps: Keeps = Keeps.LEAVE,
        deadline: Deadline = NEVER,
    ) -> Said:
        """Answer the turn; returns the answer to give, which is another's if it was taken over."""
        mine = (dial.owner, len(dial.text), opened.digest, opened.token)
        answer = (said.pack(), orjson.dumps(state), self._ttl_seconds)
        left = (keeps.value, dial.session_id, LEFT_SECONDS)
        kept = self._scripts.call(_COMMIT, opened.keys, (*mine, *answer, *left), deadline)
        return said if kept is None else Said.unpack(kept)

    def _keys(self, dial: Dial) -> tuple[str, str]:
        """Where the session is, and what its caller left: the key does not say whose it is."""
        owner = blake2b(dial.owner.encode(), key=self._key, digest_size=16).hexdigest()
        return _NAMESPACE + dial.session_id, _LEFT + owner

    def _digest(self, dial: Dial, text: str) -> str:
        """Hash a text that may hold a PIN so that nobody without the key can try them all."""
        said = f"{dial.session_id}\0{text}".encode()
        return blake2b(said, key=self._key, digest_size=16).hexdigest()


def _left(kept: bytes | None, is_held: int) -> Left | None:
    if kept is None:
        return None
    session_id, _, state = kept.partition(b"\n")
    return Left(session_id.decode(), orjson.loads(state), is_held=bool(is_held))

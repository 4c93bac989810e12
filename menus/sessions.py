"""
USSD sessions between two hops: a turn is claimed once, and answered once.

Africa's Talking resends everything typed so far in `text` on every hop, PIN included, and repeats
a hop when it is in doubt. One call opens a turn and claims it, one commits it; both are a single
script, so two hops at once can never both act. Of `text` only lengths and keyed hashes are kept: a
plain hash of something that holds a four-digit PIN could be undone by trying all of them.

A process that answered a session's last hop remembers what it committed, and goes on by that: a hop
that does nothing but navigate is one call. Whoever is about to do something claims the turn first
(docs/decisions/0047).

What a caller left, when a session was cut off or had ordered something, is kept for ten minutes
under their number and service code, of which again there is only a keyed hash. The same scripts
read and write it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b, sha256
from typing import Any, Final, Protocol, Self

import orjson
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from menus import turn_scripts
from menus.deadline import NEVER, Deadline
from menus.memories import Memories, Memory
from menus.networks import UNKNOWN, Network
from menus.scripts import Scripts

LEASE_MS: Final = 10_000
HOPS_MAX: Final = 100
LEFT_SECONDS: Final = 600

_NAMESPACE: Final = "kabambe:ussd:"
_LEFT: Final = "kabambe:ussd-left:"
_TRY_SECONDS: Final = 0.45


class Turn(StrEnum):
    """What a hop is to its session."""

    NEW = "new"
    """The session begins, or is not remembered."""
    NEXT = "next"
    """It continues what was heard; it is ours to answer, unless it was only recalled."""
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

    @property
    def ends(self) -> bool:
        return self.body.startswith("END")

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
        before: The last turn's token, by which it is seen whether this one, which was recalled and
            not claimed, is still ours; None where it was claimed.
    """

    turn: Turn
    token: str
    digest: str
    keys: tuple[str, str]
    said: Said | None = None
    heard: int = 0
    state: dict[str, Any] | None = None
    left: Left | None = None
    before: str | None = None


class Overtaken(Exception):
    """Somebody has had a turn since what was recalled; nothing was done by it."""


class Unclaimed(RedisError):
    """A turn that was recalled could not be claimed; nothing was done by it."""


class Sessions(Protocol):
    """Where sessions are kept between hops."""

    def recall(self, dial: Dial) -> Opened | None:
        """Go on by what this process remembers, if the hop adds an answer to that; asks nobody."""
        ...

    def claim(self, dial: Dial, recalled: Opened, *, deadline: Deadline = NEVER) -> Opened:
        """
        Claim a turn that was only recalled, before anything is done in it.

        Raises:
            Overtaken: It is not ours, or not as it was remembered.
            Unclaimed: Nobody answered.
        """
        ...

    def open(self, dial: Dial, *, token: str | None = None, deadline: Deadline = NEVER) -> Opened:
        """
        Claim the turn, or find out why it is not ours; once more under the same token.

        Raises:
            RedisError: Nobody answered.
        """
        ...

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
        """
        Answer the turn; returns the answer to give, which is another's if it was taken over.

        Raises:
            Overtaken: It was not claimed, and is not ours.
            RedisError: Nobody knows whether it is kept.
        """
        ...


def connect(url: str, *, blocks_seconds: float = 0) -> Redis:
    """
    Open connections for a door, which must answer within a second even when Redis does not.

    A call is tried twice, because a pooled connection may have gone while it was idle. The second
    try of an open that was heard the first time finds the turn its own: the token is the same. That
    of going on finds itself overtaken, and opening the turn then finds what the first one kept.

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
        self._memories = Memories(ttl_seconds=ttl_seconds)

    def recall(self, dial: Dial) -> Opened | None:
        """Go on by what this process remembers, if the hop adds an answer to that; asks nobody."""
        memory = self._memories.taken(dial.session_id)
        guess = dial.text.rpartition("*")[0]
        if (
            memory is None
            or memory.owner != dial.owner
            or not dial.text
            or memory.digest != self._digest(dial, guess)
        ):
            return None
        return Opened(
            Turn.NEXT,
            secrets.token_hex(8),
            self._digest(dial, dial.text),
            self._keys(dial),
            heard=len(guess),
            state=orjson.loads(memory.state),
            before=memory.token,
        )

    def claim(self, dial: Dial, recalled: Opened, *, deadline: Deadline = NEVER) -> Opened:
        """
        Claim a turn that was only recalled, before anything is done in it.

        Raises:
            Overtaken: It is not ours, or not as it was remembered.
            Unclaimed: Redis did not answer.
        """
        try:
            opened = self.open(dial, token=recalled.token, deadline=deadline)
        except RedisError as error:
            raise Unclaimed from error
        if opened != replace(recalled, before=None):
            raise Overtaken
        return opened

    def open(self, dial: Dial, *, token: str | None = None, deadline: Deadline = NEVER) -> Opened:
        """Claim the turn, or find out why it is not ours; once more under the same token."""
        token, digest = token or secrets.token_hex(8), self._digest(dial, dial.text)
        guess, keys = dial.text.rpartition("*")[0], self._keys(dial)
        mine = (dial.owner, len(dial.text), digest, token)
        limits = (LEASE_MS, self._ttl_seconds, HOPS_MAX, _NAMESPACE)
        while True:
            guessed = (len(guess), self._digest(dial, guess))
            args = (*mine, *guessed, *limits)
            found = self._scripts.call(turn_scripts.OPEN, keys, args, deadline)
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
        """
        Answer the turn; returns the answer to give, which is another's if it was taken over.

        Raises:
            Overtaken: It was not claimed, and is not ours.
            RedisError: Nobody knows whether it is kept.
        """
        kept = orjson.dumps(state)
        mine = (dial.owner, len(dial.text), opened.digest, opened.token)
        left = (keeps.value, dial.session_id, LEFT_SECONDS)
        args = (*mine, said.pack(), kept, self._ttl_seconds, *left)
        if opened.before is None:
            others = self._scripts.call(turn_scripts.COMMIT, opened.keys, args, deadline)
            if others is not None:
                return Said.unpack(others) if others else said
        else:
            known = (*args, opened.before, HOPS_MAX)
            if self._scripts.call(turn_scripts.GO_ON, opened.keys, known, deadline) is not None:
                raise Overtaken
        if not said.ends:
            memory = Memory(dial.owner, opened.digest, opened.token, kept)
            self._memories.put(dial.session_id, memory)
        return said

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

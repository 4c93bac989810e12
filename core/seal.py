"""
Sealing: journals that stand committed get their place in the log, and the log is signed.

One sealer at a time, in small transactions of its own, behind `post` and never in its way. What it
commits it then says outside the database; and it says nothing, and nobody posts, when what was
said outside is not in the database any more (`Anchor`): somebody has restored an old copy.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import seal_log, seal_notes
from core.db import Databases, transact
from core.seal_log import BLOCK_MAX
from core.seal_notes import Signer
from core.seal_outside import Outside
from core.seal_tree import Edge

log = structlog.get_logger(__name__)

LEAVES_MAX: Final = 1_000
_JOURNALS_PER_LOOK: Final = 200_000
# Longer than any statement of ours may run: who drew a number before has committed, or never will.
_SETTLED_SECONDS: Final = 15
_LATE_SECONDS: Final = 1.0
_LOOKED_AT_SECONDS: Final = 5.0
_ALARM_SECONDS: Final = 10.0

# What is said outside must outlive a crash of the server, however it is set.
_DURABLY = text("SET LOCAL synchronous_commit = on")
_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtext('kabambe.sealer'))")
_UNSEALED = text("""
    SELECT j.id FROM journals j LEFT JOIN positions p ON p.journal_id = j.id
    WHERE j.id > :after AND j.id <= :upto AND p.journal_id IS NULL
    ORDER BY j.id LIMIT :most
""")
_STATE = text("""
    SELECT coalesce((SELECT max(id) FROM journals), 0),
           coalesce((SELECT max(journal_id) FROM positions), 0),
           CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)
""")
# Above every transaction that has begun, as nothing else is for certain.
_HORIZON = text("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)")
_MADE = text("SELECT make_leaves(CAST(:journals AS bigint[]))")
_LEAVES = text(
    "SELECT journal_id, hash FROM leaves WHERE journal_id = ANY (:journals) ORDER BY journal_id"
)


class Anchor:
    """
    Whether the log in the database contains what was last said outside.

    Asked of every new connection, whenever something was said, and every five seconds.

    Args:
        outside: What was said.
    """

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._alarmed_at = -_ALARM_SECONDS

    def holds(self, session: Session) -> bool:
        """Whether money may be moved in this transaction. Where it may not, the log cries."""
        stamp = self._outside.stamp()
        # A database that was replaced under us is met by connections that are new.
        seen: dict[Any, Any] = session.connection().info
        known = seen.get("kabambe.anchor")
        now = time.monotonic()
        if known is not None and known[0] == stamp and now - known[1] < _LOOKED_AT_SECONDS:
            return True
        seen.pop("kabambe.anchor", None)
        if (why := self.objection(session)) is None:
            if any(stamp):  # of nothing there is no telling when it went
                seen["kabambe.anchor"] = (stamp, now)
            return True
        if now - self._alarmed_at >= _ALARM_SECONDS:
            self._alarmed_at = now
            log.error("seal.tail_lost", why=why)
        return False

    def objection(self, session: Session) -> str | None:
        """What is wrong with the log in the database, seen from outside; None: nothing."""
        try:
            said = self._outside.newest()
        except (OSError, ValueError) as error:
            return f"the published checkpoints cannot be read: {error}"
        reached = seal_log.size(session)
        if said is None:
            unsaid = f"the database holds {reached} leaves, and none is published where we look"
            return unsaid if seal_log.is_begun(session) else None
        if reached < said.size:
            return f"the database holds {reached} leaves, but {said.size} were published"
        try:
            root = seal_log.root_at(session, said.size)
        except KeyError:
            return f"of the first {said.size} leaves, some are missing"
        if root != said.root:
            return f"the first {said.size} leaves are not those that were published"
        return None


@dataclass
class _Settled:
    """
    Up to which journal (`below`) everything is sealed, and up to which (`mark`) that may be soon.

    `horizon` is above every transaction that could have drawn an id up to `mark`.
    """

    below: int = 0
    mark: int = 0
    horizon: int = 0
    marked_at: float = 0.0
    looked_at: float = -math.inf


class Sealer:
    """
    Seals journals, and says so outside.

    Args:
        databases: Connections of the workers' role.
        signer: What signs checkpoints.
        outside: Where they are said.
        clock: What time it is.
    """

    def __init__(
        self,
        databases: Databases,
        signer: Signer,
        outside: Outside,
        clock: Callable[[], datetime],
    ) -> None:
        self._databases = databases
        self._signer = signer
        self._outside = outside
        self._clock = clock
        self._anchor = Anchor(outside)
        self._settled = _Settled()
        self._alarmed_at = -_ALARM_SECONDS

    def once(self) -> int:
        """
        Seal up to a thousand journals, and publish; return how many leaves were added.

        May be killed anywhere: what was committed and not yet said is said by the next.

        Raises:
            OSError: The folder outside cannot be written. What was sealed stands.
        """
        if not self._is_ours():
            return 0
        added, below = transact(self._databases, self._seal)
        self._settled.below = max(self._settled.below, below)
        self._publish()
        return added

    def _is_ours(self) -> bool:
        """Whether the log that was begun is signed with our key. Two keys prove nothing."""
        if self._outside.key() in (None, self._signer.verifier):
            return True
        now = time.monotonic()
        if now - self._alarmed_at >= _ALARM_SECONDS:
            self._alarmed_at = now
            log.error("seal.other_key")
        return False

    def _publish(self) -> None:
        """Say outside what stands committed and was not said, unless the two have parted."""

        def newer(session: Session) -> str | None:
            if not session.scalar(_LOCK) or not self._anchor.holds(session):
                return None
            head, said = seal_log.checkpoint(session), self._outside.newest()
            if head is None or (said is not None and said.size >= head.size):
                return None
            # Under the lock: of two sealers, only one says it.
            self._outside.say_key(self._signer.verifier)
            self._outside.say(head.note)
            return head.note

        transact(self._databases, newer)

    def _seal(self, session: Session) -> tuple[int, int]:
        """Seal once; how many leaves, and up to where everything is sealed if this commits."""
        if not session.scalar(_LOCK) or not self._anchor.holds(session):
            return 0, 0
        if self._outside.newest() is None and seal_log.size(session):
            return 0, 0  # the first is said before there is a second, so that its loss is seen
        journals, below = self._unsealed(session)
        if not journals:
            return 0, below
        session.execute(_DURABLY)
        session.execute(_MADE, {"journals": journals})
        leaves = session.execute(_LEAVES, {"journals": journals}).all()
        assert len(leaves) == len(journals), "a journal is without its leaf"
        edge, now = seal_log.edge(session), self._clock()
        first = edge.size
        rows = [(first + n, leaf.journal_id) for n, leaf in enumerate(leaves)]
        subtrees, blocks = _grown(edge, [bytes(leaf.hash) for leaf in leaves])
        _write(session, "positions (position, journal_id)", rows, "bigint, bigint")
        _write(session, "subtrees (level, position, hash)", subtrees, "smallint, bigint, bytea")
        number = int(session.scalar(text("SELECT coalesce(max(number) + 1, 0) FROM blocks")) or 0)
        numbered = [(number + n, *each, now) for n, each in enumerate(blocks)]
        into = "blocks (number, first, count, root, sealed_at)"
        _write(session, into, numbered, "bigint, bigint, integer, bytea, timestamptz")
        note = self._signer.sign(size=edge.size, root=edge.root(), at=now)
        _write(session, "checkpoints (size, note)", [(edge.size, note)], "bigint, text")
        return len(rows), below

    def _unsealed(self, session: Session) -> tuple[list[int], int]:
        """
        Committed journals that have no position, and up to where there are no others.

        Ids are drawn before the commit, so a journal may appear below others that were sealed long
        ago. Everything above `below` is therefore looked at again every second; it only rises to
        where every transaction that could still bring a journal has ended.
        """
        seen: dict[Any, Any] = session.connection().info
        if "kabambe.sealer" not in seen:  # perhaps another database: what we know is of the last
            self._settled = _Settled()
            seen["kabambe.sealer"] = True
        settled, now = self._settled, time.monotonic()
        last, tip, oldest = session.execute(_STATE).one()
        ids, below = _look(session, after=tip, upto=last), 0
        if now - settled.looked_at >= _LATE_SECONDS:
            settled.looked_at = now
            upto = min(tip, settled.below + _JOURNALS_PER_LOOK)
            late = _look(session, after=settled.below, upto=upto)
            is_over = oldest >= settled.horizon and now - settled.marked_at >= _SETTLED_SECONDS
            if settled.mark and is_over and len(late) < LEAVES_MAX:
                below = min(upto, settled.mark)
            if not settled.mark or below == settled.mark:
                settled.mark, settled.marked_at = last, now
                settled.horizon = int(session.scalar(_HORIZON) or 0)
            ids = (late + ids)[:LEAVES_MAX]
        return ids, below


def _look(session: Session, *, after: int, upto: int) -> list[int]:
    """Unsealed journals with an id above `after`, up to and with `upto`; at most a thousand."""
    bounds = {"after": after, "upto": upto, "most": LEAVES_MAX}
    return list(session.scalars(_UNSEALED, bounds))


def seal_of(session: Session, *, reference: str | None = None, journal: int | None = None) -> str:
    """
    The seal on the receipt of a journal, by the journal's reference, or by its id if it has none.

    The leaf is made here if the sealer has not come to it yet; its bytes are kept, so that what
    the receipt says and what is sealed are one thing.
    """
    named = "id = :journal" if reference is None else "reference = :reference"
    leaf = session.scalar(
        text(f"SELECT leaf_of(id) FROM journals WHERE {named}"),  # noqa: S608 - our own words
        {"reference": reference, "journal": journal},
    )
    assert leaf is not None, f"there is no journal {reference or journal}"
    return seal_notes.seal(bytes(leaf))


def _grown(
    edge: Edge, leaves: Sequence[bytes]
) -> tuple[list[tuple[int, int, bytes]], list[tuple[int, int, bytes]]]:
    """Append to the tree: the subtrees to keep, and the blocks (first, count, root)."""
    subtrees, blocks = [], []
    for start in range(0, len(leaves), BLOCK_MAX):
        first = edge.size
        for leaf in leaves[start : start + BLOCK_MAX]:
            subtrees += [
                (part.level, part.position, hashed)
                for part, hashed in edge.append(leaf)
                if seal_log.is_stored(part)
            ]
        blocks.append((first, edge.size - first, edge.root()))
    return subtrees, blocks


def _write(session: Session, into: str, rows: Sequence[tuple[Any, ...]], types: str) -> None:
    """Insert rows, a column an array: one statement however many there are."""
    if not rows:
        return
    kinds = types.split(", ")
    arrays = ", ".join(f"%s::{kind}[]" for kind in kinds)
    session.connection().exec_driver_sql(
        f"INSERT INTO {into} SELECT * FROM unnest({arrays})",  # noqa: S608 - our own words
        tuple(list(column) for column in zip(*rows, strict=True)),
    )

"""
The log as it is kept: a leaf for each journal, its position, and enough of the tree to prove it.

Append-only for everybody. Of the tree, complete subtrees of 256 leaves, of 256 of those, and so on
are kept: a proof reads some hundred hashes, however many leaves there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    func,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import seal_notes, seal_tree
from core.db import Base
from core.seal_notes import Checkpoint
from core.seal_tree import Edge, Span, Subtree

BLOCK_MAX: Final = 50
_LEVELS_PER_TILE: Final = 8


class Leaf(Base):
    """
    A journal as the log has it. `data` is the very bytes that were hashed.

    `kept` is what a receipt does not show; `data` ends in its digest.
    """

    __tablename__ = "leaves"

    journal_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    kept: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)


class Position(Base):
    """Where in the tree a journal's leaf is."""

    __tablename__ = "positions"

    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    journal_id: Mapped[int] = mapped_column(BigInteger, unique=True)


class KeptSubtree(Base):
    """The hash of a complete subtree of 256, 65,536, … leaves (level 8, 16, …)."""

    __tablename__ = "subtrees"

    level: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class Block(Base):
    """At most fifty leaves, to be looked at together; `root` is the tree's at its end."""

    __tablename__ = "blocks"
    __table_args__ = (CheckConstraint("count BETWEEN 1 AND 50", name="count"),)

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    first: Mapped[int] = mapped_column(BigInteger, unique=True)
    count: Mapped[int] = mapped_column(Integer)
    root: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Signed(Base):
    """A checkpoint: the signed note that says what the tree was at a size."""

    __tablename__ = "checkpoints"

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    note: Mapped[str] = mapped_column(Text)


@dataclass(frozen=True, slots=True)
class Contents:
    """A block and the hashes of its leaves."""

    number: int
    first: int
    root: bytes
    sealed_at: datetime
    leaves: Sequence[bytes]


def size(session: Session) -> int:
    """How many leaves the tree has."""
    last = session.scalar(select(func.max(Position.position)))
    return 0 if last is None else last + 1


def checkpoint(session: Session) -> Checkpoint | None:
    """The newest checkpoint; None where nothing was sealed."""
    note = session.scalar(select(Signed.note).order_by(Signed.size.desc()).limit(1))
    return None if note is None else Checkpoint.read(note)


def is_begun(session: Session) -> bool:
    """Whether more was signed than the first checkpoint, which may not have been said yet."""
    return len(session.scalars(select(Signed.size).limit(2)).all()) > 1


def root_at(session: Session, size: int) -> bytes:
    """The root that the tree had at a size which it has reached."""
    [root] = hashes(session, [(0, size)])
    return root


def edge(session: Session) -> Edge:
    """The right edge of the tree, to append to it."""
    reached = size(session)
    kept = _kept(session, [(0, reached)])
    return Edge(reached, [kept(part) for part in seal_tree.parts((0, reached))])


def block(session: Session, number: int) -> Contents | None:
    """A block by its number, counted from zero."""
    found = session.get(Block, number)
    if found is None:
        return None
    leaves = session.scalars(
        select(Leaf.hash)
        .join(Position, Position.journal_id == Leaf.journal_id)
        .where(Position.position >= found.first, Position.position < found.first + found.count)
        .order_by(Position.position)
    )
    return Contents(found.number, found.first, found.root, found.sealed_at, leaves.all())


def seal_of(session: Session, *, reference: str) -> str | None:
    """The seal of a journal, by its reference, once there is a leaf of it."""
    found = session.scalar(
        text(
            "SELECT l.hash FROM leaves l JOIN journals j ON j.id = l.journal_id"
            " WHERE j.reference = :reference"
        ),
        {"reference": reference},
    )
    return None if found is None else seal_notes.seal(bytes(found))


def proof(session: Session, seal: str) -> str | None:
    """
    What shows the journal under a receipt's seal to be in the log; None: it is not (yet).

    Under the seal, not the journal's reference: who knows the one was there, while the other is
    short enough to be guessed by trying.
    """
    wanted = seal_notes.seal_range(seal)
    head = checkpoint(session)
    if wanted is None or head is None:
        return None
    row = session.execute(
        select(Leaf.data, Position.position)
        .join(Position, Position.journal_id == Leaf.journal_id)
        .where(Leaf.hash.between(*wanted))
    ).one_or_none()
    if row is None or row.position >= head.size:
        return None
    path = hashes(session, seal_tree.inclusion(row.position, head.size))
    return seal_notes.proof(
        data=bytes(row.data), index=row.position, hashes=path, checkpoint=head.note
    )


def consistency(session: Session, older: int, newer: int) -> list[bytes] | None:
    """What shows that the log only grew from one size to another; None: it has not reached it."""
    if size(session) < newer:
        return None
    return hashes(session, seal_tree.consistency(older, newer))


def hashes(session: Session, spans: Sequence[Span]) -> list[bytes]:
    """The hashes of spans of leaves that are in the tree."""
    kept = _kept(session, spans)
    return [seal_tree.span_hash(span, kept) for span in spans]


_LEAVES = text("""
    SELECT p.position, l.hash FROM positions p JOIN leaves l ON l.journal_id = p.journal_id
    WHERE p.position = ANY (:positions)
""")
_SUBTREES = text(
    "SELECT position, hash FROM subtrees WHERE level = :level AND position = ANY (:positions)"
)


def _kept(session: Session, spans: Iterable[Span]) -> Callable[[Subtree], bytes]:
    """Fetch what the hashes of spans are made of; return what makes them."""
    wanted: dict[int, set[int]] = {}
    for span in spans:
        for part in seal_tree.parts(span):
            over = part.level % _LEVELS_PER_TILE
            under = range(part.position << over, part.position + 1 << over)
            wanted.setdefault(part.level - over, set()).update(under)
    stored: dict[Subtree, bytes] = {}
    for level, positions in wanted.items():
        query, named = (_SUBTREES, {"level": level}) if level else (_LEAVES, {})
        rows = session.execute(query, {"positions": sorted(positions), **named})
        stored |= {Subtree(level, row.position): bytes(row.hash) for row in rows}

    def hashed(part: Subtree) -> bytes:
        if part.level % _LEVELS_PER_TILE == 0:
            return stored[part]
        left = Subtree(part.level - 1, part.position * 2)
        right = Subtree(part.level - 1, part.position * 2 + 1)
        return seal_tree.node_hash(hashed(left), hashed(right))

    return hashed


def is_stored(part: Subtree) -> bool:
    """Whether a subtree is one of those that are kept besides the leaves."""
    return part.level > 0 and part.level % _LEVELS_PER_TILE == 0

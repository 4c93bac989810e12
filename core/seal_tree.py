"""
The Merkle tree of RFC 6962, section 2.1: roots, inclusion proofs, consistency proofs.

Leaves and nodes are hashed with different first bytes, so that neither can pass for the other. A
proof is a list of hashes of *spans* of leaves; `parts` says which complete subtrees a span is made
of, so that whoever keeps their hashes need not read all leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

Span = tuple[int, int]
"""The leaves from the first number up to, and without, the second."""

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()


@dataclass(frozen=True, slots=True, order=True)
class Subtree:
    """The complete subtree over the leaves from `position << level` on, `1 << level` of them."""

    level: int
    position: int


def leaf_hash(data: bytes) -> bytes:
    """Hash a leaf's data."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into the one above them."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over hashes of leaves (RFC 6962, 2.1), as the standard words it."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = _split(len(leaves))
    return node_hash(root(leaves[:split]), root(leaves[split:]))


def inclusion(index: int, size: int) -> list[Span]:
    """Whose hashes prove that leaf `index` is in a tree of `size` leaves (RFC 6962, 2.1.1)."""
    assert 0 <= index < size, f"there is no leaf {index} in a tree of {size}"
    path: list[Span] = []
    first, end = 0, size
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((first, middle))
            first = middle
    return path[::-1]


def consistency(older: int, newer: int) -> list[Span]:
    """Whose hashes prove that a tree only grew from one size to another (RFC 6962, 2.1.2)."""
    assert 0 < older <= newer, f"a tree of {newer} cannot have grown from {older}"
    path: list[Span] = []
    first, end, is_whole = 0, newer, True
    while older != end:
        middle = first + _split(end - first)
        if older <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((first, middle))
            first, is_whole = middle, False
    return ([] if is_whole else [(first, end)]) + path[::-1]


def parts(span: Span) -> Iterator[Subtree]:
    """The complete subtrees a span of some proof is made of, from left to right."""
    first, end = span
    while first < end:
        level = (end - first).bit_length() - 1
        if first:
            level = min(level, (first & -first).bit_length() - 1)
        yield Subtree(level, first >> level)
        first += 1 << level


def fold(hashes: Sequence[bytes]) -> bytes:
    """The hash over complete subtrees of falling size, from left to right."""
    if not hashes:
        return EMPTY_ROOT
    folded = hashes[-1]
    for left in hashes[-2::-1]:
        folded = node_hash(left, folded)
    return folded


def span_hash(span: Span, kept: Callable[[Subtree], bytes]) -> bytes:
    """The hash over a span, out of the hashes of complete subtrees."""
    return fold([kept(part) for part in parts(span)])


@dataclass
class Edge:
    """
    The right edge of a tree: all it takes to append to it.

    Args:
        size: How many leaves the tree has.
        hashes: Of its complete subtrees (`parts((0, size))`), from left to right.
    """

    size: int = 0
    hashes: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> list[tuple[Subtree, bytes]]:
        """Add the hash of a leaf; return the subtrees that it completes, itself left out."""
        made: list[tuple[Subtree, bytes]] = []
        position, level, hashed = self.size, 0, leaf
        while position & 1:
            hashed = node_hash(self.hashes.pop(), hashed)
            position >>= 1
            level += 1
            made.append((Subtree(level, position), hashed))
        self.hashes.append(hashed)
        self.size += 1
        return made

    def root(self) -> bytes:
        """The root of the tree as it is."""
        return fold(self.hashes)


def includes(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether a proof shows that leaf `index` is in the tree (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    number, last, hashed = index, size - 1, leaf
    for other in proof:
        if last == 0:
            return False
        if number & 1 or number == last:
            hashed = node_hash(other, hashed)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            hashed = node_hash(hashed, other)
        number, last = number >> 1, last >> 1
    return last == 0 and hashed == root


def grew(
    older: int, older_root: bytes, newer: int, newer_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether a proof shows that the older tree begins the newer (RFC 9162, 2.1.4.2)."""
    if not 0 < older <= newer:
        return False
    if older == newer:
        return not proof and older_root == newer_root
    hashes = list(proof)
    if older & (older - 1) == 0:
        hashes.insert(0, older_root)
    if not hashes:
        return False
    number, last = older - 1, newer - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    before = after = hashes[0]
    for other in hashes[1:]:
        if last == 0:
            return False
        if number & 1 or number == last:
            before, after = node_hash(other, before), node_hash(other, after)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            after = node_hash(after, other)
        number, last = number >> 1, last >> 1
    return last == 0 and before == older_root and after == newer_root


def _split(size: int) -> int:
    """The largest power of two below a size."""
    return 1 << (size - 1).bit_length() - 1

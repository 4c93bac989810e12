"""
Every flow as text, the languages beside each other, as a handset of forty characters shows it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

from atlas.walk import Flow, Hop

COLUMN: Final = 40

_INTRODUCTION: Final = """\
# Every flow, as the handset shows it

Written by `./run menus`, which walks the screens of the code on a real database; a test holds it to
them. English is on the left, Kiswahili on the right; `>` is what is typed. PINs and vouchers' codes
are not shown, and every reference, random in truth, reads Q7X2M4KWZ after its first letter. A flow
that parts from the one above it is shown from there on. [The map](menus.svg) shows how the screens
hang together.
"""


def write(english: Sequence[Flow], other: Sequence[Flow]) -> str:
    """
    Put flows side by side.

    Raises:
        ValueError: One language has a way that the other has not.
    """
    parts = [_INTRODUCTION]
    before: Flow | None = None
    for left, right in zip_longest(english, other):
        if left is None or right is None or len(left.hops) != len(right.hops):
            raise ValueError("the languages do not lead the same ways")
        if before is None or before.beginning != left.beginning:
            parts.append(f"## {left.beginning.title}\n")
            before = None
        shared = _shared(before, left)
        parts.append(f"### {' · '.join(_crumb(hop) for hop in left.hops)}\n")
        lines = [
            line
            for hops in list(zip(left.hops, right.hops, strict=True))[shared:]
            for line in _beside(*hops)
        ]
        parts.append("\n".join(["```text", *lines, "```", ""]))
        before = left
    return "\n".join(parts)


def _shared(before: Flow | None, flow: Flow) -> int:
    """How many hops two flows have in common."""
    if before is None:
        return 0
    same = 0
    for one, other in zip(before.hops, flow.hops, strict=False):
        if one.typed != other.typed:
            break
        same += 1
    return same


def _crumb(hop: Hop) -> str:
    return hop.typed.replace("*", r"\*")


def _beside(left: Hop, right: Hop) -> Iterator[str]:
    for one, other in zip_longest(_shown(left), _shown(right), fillvalue=""):
        yield f"{one:<{COLUMN}} │ {other}".rstrip()
    yield f"{'':<{COLUMN}} │"


def _shown(hop: Hop) -> list[str]:
    lines = [f"> {hop.typed}"]
    for line in hop.seen.words.split("\n"):
        lines += textwrap.wrap(line, COLUMN) or [""]
    if hop.seen.ends:
        lines.append("(the session ends)")
    return lines

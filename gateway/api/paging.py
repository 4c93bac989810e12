"""
Cursors: where a page ended, in letters that mean something to us alone.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

from gateway import problems
from gateway.problems import Halted

_NUMBER_MAX: Final = 2**62
_WRITTEN: Final = re.compile(r"after ([0-9]{1,19})")


class _Numbered(Protocol):
    @property
    def id(self) -> int: ...


Numbered = TypeVar("Numbered", bound=_Numbered)


def cursor(number: int | None) -> str | None:
    """Write a cursor; none where there is nothing more."""
    if number is None:
        return None
    return base64.urlsafe_b64encode(f"after {number}".encode()).decode().rstrip("=")


def number(given: str | None) -> int | None:
    """
    Read a cursor.

    Raises:
        Halted: It is none of ours.
    """
    if given is None:
        return None
    try:
        said = base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)).decode()
        found = _WRITTEN.fullmatch(said)
    except (binascii.Error, ValueError):
        found = None
    if found is None or int(found.group(1)) > _NUMBER_MAX:
        fault = {"in": "query", "field": "cursor", "fault": "That is not the next of any page"}
        raise Halted(problems.INVALID_REQUEST, errors=[fault])
    return int(found.group(1))


def cut(found: Sequence[Numbered], limit: int) -> tuple[Sequence[Numbered], str | None]:
    """A page of what was found (one more than it takes is looked for), and the cursor behind it."""
    page = found[:limit]
    return page, cursor(page[-1].id if len(found) > limit else None)

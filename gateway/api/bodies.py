"""What programs send, weighed before anything reads it."""

from __future__ import annotations

import re
from typing import Final

from flask import request

from gateway import problems
from gateway.problems import Halted

BYTES_MAX: Final = 64 * 1024
DEPTH_MAX: Final = 8
_HAVE_ONE: Final = frozenset({"POST", "PUT", "PATCH"})
# Possessive, and a string that never ends goes to the end: whatever comes is gone through once.
_STRINGS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKETS: Final = re.compile(rb"[\[\]{}]")


def weigh() -> None:
    """
    Refuse a body that is too long, nested deeper than anything we take, or no JSON in UTF-8.

    Raises:
        Halted: It is not one that we read.
        RequestEntityTooLarge: It is longer than 64 KiB.
    """
    if request.method not in _HAVE_ONE:
        return
    body = request.get_data(cache=True)
    if body and request.mimetype != "application/json":
        raise Halted(problems.NOT_JSON)
    if body.strip() and not body.lstrip().startswith(b"{"):
        raise Halted(problems.UNREADABLE)  # `null` would pass for an object that says nothing
    if not _is_utf_8(body) or _depth(body) > DEPTH_MAX:
        raise Halted(problems.UNREADABLE)


def _is_utf_8(body: bytes) -> bool:
    """Whether it is read as it was weighed: readers of JSON know UTF-16 and 32 by their NULs."""
    try:
        return "\0" not in body.decode()
    except UnicodeDecodeError:
        return False


def _depth(body: bytes) -> int:
    """How deep the brackets outside of strings go."""
    depth = deepest = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", body)):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest

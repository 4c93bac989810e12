"""
Reading the inbox: letters one by one, so that one nobody can understand holds up no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import structlog
from sqlalchemy.orm import Session

from core import inbox
from core.db import is_of_the_database, transact
from workers.resources import Resources

log = structlog.get_logger(__name__)


def each(have: Resources, ids: Iterable[int], understand: Callable[[int, Session], None]) -> None:
    """
    Understand letters, each in a transaction of its own; a fault of ours is counted as a try.

    Args:
        have: Ours.
        ids: Which letters.
        understand: Acts on one, and closes it.

    Raises:
        DBAPIError: The database went: that is no letter's fault, and the relay rings again.
    """
    for letter in ids:
        try:
            transact(have.databases, partial(understand, letter))
        except Exception as error:
            if is_of_the_database(error):
                raise
            log.exception("inbox.letter_failed", letter=letter)
            if transact(have.databases, partial(inbox.failed, letter=letter, now=have.clock())):
                log.error("inbox.given_up", letter=letter)  # noqa: TRY400 - the traceback is above

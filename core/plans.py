"""
What an order comes to: the journals it wants, and what its owner is told of the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from core.errors import DomainError
from core.ledger import Draft, Posting
from core.orders import Outcome
from core.outbox import Fact


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one order, and who is told."""

    outcome: Outcome
    facts: Sequence[Fact]


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What one order comes to, before the book has answered.

    Args:
        order: Its id.
        drafts: The journals it wants; none when it is refused already.
        settle: What became of it, from the posting of each draft.
    """

    order: int
    drafts: Sequence[Draft]
    settle: Callable[[Sequence[Posting]], Result]

    @classmethod
    def refused(cls, order: int, error: DomainError, fact: Fact) -> Self:
        """An order that the book need not be asked about."""
        result = Result(Outcome.refused(order, error), [fact])
        return cls(order, [], lambda _postings: result)

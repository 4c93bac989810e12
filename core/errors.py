"""
The kinds of refusal. Each error lives beside the function that raises it.

    DomainError
    ├── Invalid       what was asked is malformed
    ├── NotFound      there is no such thing
    ├── Denied        the caller may not do that
    ├── Refused       understood, permitted, and refused
    └── Unavailable   something we depend on did not answer
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar


@dataclass(eq=False)
class DomainError(Exception):
    """The request was refused."""

    code: ClassVar[str] = "domain-error"

    def __init_subclass__(cls) -> None:
        """Name the error: `InsufficientFunds` is `insufficient-funds` wherever programs see it."""
        super().__init_subclass__()
        cls.code = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @property
    def params(self) -> dict[str, Any]:
        """What the words may mention, and what a program is told besides the code."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class Invalid(DomainError):
    """What was asked is malformed."""


class NotFound(DomainError):
    """There is no such thing."""


class Denied(DomainError):
    """The caller may not do that."""


class Refused(DomainError):
    """The request was understood, permitted, and refused."""


class Unavailable(DomainError):
    """Something we depend on did not answer; trying later may work."""


KINDS = (Invalid, NotFound, Denied, Refused, Unavailable)


def leaves() -> Iterator[type[DomainError]]:
    """Every error that can be raised, which is every subclass of a kind."""
    for kind in KINDS:
        yield from kind.__subclasses__()

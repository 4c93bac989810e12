"""
What a route needs of who calls it, declared beside the route; who calls is found out by the edge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from core.access.principals import Permission

V = TypeVar("V", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Need:
    """What a caller must have; `permission` is None where everybody may call."""

    permission: Permission | None


EVERYBODY: Final = Need(None)
CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}


def needs(permission: Permission) -> Callable[[V], V]:
    """Let in who has a permission. Stands right below the route, above what reads the body."""

    def declared(view: V) -> V:
        view.need = Need(permission)  # type: ignore[attr-defined]
        return view

    return declared


def public(view: V) -> V:
    """Let in everybody."""
    view.need = EVERYBODY  # type: ignore[attr-defined]
    return view


def may_be_keyed(view: V) -> V:
    """Say that a route takes an `Idempotency-Key` and does without one."""
    view.may_be_keyed = True  # type: ignore[attr-defined]
    return view


def need_of(view: Callable[..., Any]) -> Need:
    """What a route has declared. One that has declared nothing is a mistake of ours."""
    need = getattr(view, "need", None)
    assert isinstance(need, Need), f"{view!r} declares neither @needs nor @public"
    return need

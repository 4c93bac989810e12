"""
How many requests a caller may make: per person, key or address, and per route, on Redis.

Whoever has no token yet is counted by what they show, a number, a ticket or a refresh token: the
address may be that of thousands of phones. What is kept of it is a keyed hash.

Where Redis does not answer, each process counts by itself until it does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, TypeVar

from flask import Response, current_app, g, request
from flask_limiter import ApplicationLimit, Limiter, RequestLimit, RouteLimit
from redis import Redis

from core import msisdn, networks
from core.access.principals import Kind, Principal
from core.msisdn import InvalidMsisdn
from gateway.api import edge
from gateway.api.edge import Api

# One address may be that of thousands of phones behind an operator's translation.
_ADDRESS_TIMES: Final = 40
_STRANGERS_OF: Final = 3
_STRANGERS_MINUTES: Final = 5

V = TypeVar("V", bound=Callable[..., Any])


def limiter(redis: Redis, *, per_minute: int) -> Limiter:
    """Make what counts, on connections that are there already."""
    made = Limiter(
        caller,
        default_limits=[f"{per_minute} per minute"],
        application_limits=[
            ApplicationLimit(f"{per_minute * _ADDRESS_TIMES} per minute", key_function=address)
        ],
        strategy="sliding-window-counter",
        storage_uri="redis://",
        storage_options={"connection_pool": redis.connection_pool},  # type: ignore[dict-item]
        in_memory_fallback_enabled=True,
        key_prefix="kabambe",
    )
    made.request_filter(lambda: not edge.is_ours() or request.method == "OPTIONS")
    return made


def caller() -> str:
    """Whom a request is counted for: an account, a key of it, what is shown, or an address."""
    principal: Principal | None = g.principal
    if principal is None:
        return _shown() or address()
    match principal.kind:
        case Kind.SERVICE:
            return f"key:{principal.key}"
        case Kind.STAFF:
            return f"staff:{principal.staff}"
    return f"subscriber:{principal.subscriber}"


def account() -> str:
    """Whom a request is counted for where all keys of an account are one caller."""
    principal: Principal | None = g.principal
    if principal is None or principal.subscriber is None:
        return caller()
    return f"subscriber:{principal.subscriber}"


def address() -> str:
    """Where a request comes from: of IPv6, the whole network of a home."""
    return f"address:{networks.home(request.remote_addr or '')}"


def counted_by(field: str) -> Callable[[V], V]:
    """Count who calls a public route by a field of the body, where it can be read."""

    def declared(view: V) -> V:
        view.counted_by = field  # type: ignore[attr-defined]
        return view

    return declared


def _shown() -> str | None:
    """What tells a caller from others behind their address, hashed; None where nothing does."""
    view = current_app.view_functions.get(request.endpoint or "")
    field = getattr(view, "counted_by", None)
    body = None if field is None or g.unfit is not None else request.get_json(silent=True)
    said = body.get(field) if isinstance(body, dict) else None
    if not isinstance(said, str):
        return None
    if field == "phone":
        try:
            said = msisdn.parse(said)
        except InvalidMsisdn:
            return None
    try:
        return f"{field}:{g.hide(said).hex()}"
    except UnicodeEncodeError:
        return None


def count(api: Api) -> None:
    """
    Count a request that is refused before it came to its route's own limits, by those.

    Where a route has none of its own it was counted already, and is not again.

    Raises:
        RateLimitExceeded: It is one too many.
    """
    # It has no public name for that: what a route's decorator would have called.
    api.limiter._check_request_limit(in_middleware=False)  # noqa: SLF001


def lookups(api: Api) -> Callable[[V], V]:
    """Count who is looked up: names are people's own."""
    few = max(api.per_minute // _STRANGERS_OF, 1)
    limit = api.limiter.limit(f"{few} per minute", key_func=account, override_defaults=False)
    return _alike(limit)


def codes(api: Api) -> Callable[[V], V]:
    """
    Count who has codes sent from the many homes of one site, which only IPv6 has.

    All together are given so many a minute: nobody may use those up with the networks they have.
    """
    few = max(api.per_minute // _STRANGERS_OF, 1)
    limit = api.limiter.shared_limit(
        f"{few} per minute",
        scope="codes",
        key_func=lambda: f"site:{networks.site(request.remote_addr or '')}",
        exempt_when=lambda: not networks.is_homes_own(request.remote_addr or ""),
        override_defaults=False,
    )
    return _alike(limit)


def documents(api: Api) -> Callable[[V], V]:
    """Count what takes seconds to write."""
    few = max(api.per_minute // _STRANGERS_OF, 1)
    return _alike(api.limiter.shared_limit(f"{few} per minute", scope="documents"))


def calls_out(api: Api) -> Callable[[V], V]:
    """Count what has us call somebody's address."""
    few = max(api.per_minute // _STRANGERS_OF, 1)
    return _alike(api.limiter.shared_limit(f"{few} per minute", scope="calls-out"))


def strangers(api: Api) -> Callable[[V], V]:
    """
    Count what a caller asks about people who are not there, on all routes together.

    Whoever pays people they know hardly ever does; whoever tries out numbers does little else.
    """
    few = max(api.per_minute // _STRANGERS_OF, 1)
    limit = api.limiter.shared_limit(
        f"{few} per minute; {few * _STRANGERS_MINUTES} per day",
        scope="strangers",
        key_func=account,
        override_defaults=False,
        deduct_when=lambda answer: answer.status_code == HTTPStatus.NOT_FOUND,
    )
    return _alike(limit)


def _alike(limit: RouteLimit) -> Callable[[V], V]:
    """A limit as a decorator that leaves a view's type as it is."""

    def limited(view: V) -> V:
        made: V = limit(view)  # type: ignore[assignment] # it is wrapped
        return made

    return limited


def tell(limit: RequestLimit | None, answer: Response) -> Response:
    """Say on an answer how many more there may be, and when."""
    if limit is not None:
        wait = max(limit.reset_at - int(time.time()), 1)
        answer.headers["RateLimit-Limit"] = str(limit.limit.amount)
        answer.headers["RateLimit-Remaining"] = str(max(limit.remaining, 0))
        answer.headers["RateLimit-Reset"] = str(wait)
        if limit.breached:
            answer.headers["Retry-After"] = str(wait)
    return answer

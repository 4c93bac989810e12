"""
How many requests a caller may make: per person, key or address, and per route, on Redis.

Where Redis does not answer, each process counts by itself until it does.
"""

from __future__ import annotations

import time
from typing import Final

from flask import Response, g, request
from flask_limiter import ApplicationLimit, Limiter, RequestLimit
from redis import Redis

from core.access.principals import Kind, Principal
from gateway.api import edge

# One address may be that of thousands of phones behind an operator's translation.
_ADDRESS_TIMES: Final = 40


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
    """Whom a request is counted for: an account, a key of it, or an address."""
    principal: Principal | None = g.principal
    if principal is None:
        return f"address:{request.remote_addr}"
    match principal.kind:
        case Kind.SERVICE:
            return f"key:{principal.key}"
        case Kind.STAFF:
            return f"staff:{principal.staff}"
    return f"subscriber:{principal.subscriber}"


def address() -> str:
    """Where a request comes from."""
    return f"address:{request.remote_addr}"


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

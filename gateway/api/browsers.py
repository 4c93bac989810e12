"""
What browsers are told: which pages may call (CORS), and what an answer may never be used for.
"""

from __future__ import annotations

from typing import Final

from flask import Flask, Response, request

from gateway.api import edge

_ASKS: Final = "Accept-Language, Authorization, Content-Type, Idempotency-Key"
_SHOWS: Final = (
    "Link, Location, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After,"
    " WWW-Authenticate, X-Request-Id"
)
_REMEMBERED_SECONDS: Final = 3600
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def hang(app: Flask, origins: frozenset[str]) -> None:
    """Say it on every answer of ours; `origins` is the whole list, compared letter by letter."""

    def tell(answer: Response) -> Response:
        if not edge.is_ours():
            return answer
        for name, value in _HEADERS.items():
            answer.headers.setdefault(name, value)
        if "Cache-Control" not in answer.headers:
            answer.headers["Cache-Control"] = "no-store"
        answer.vary.add("Origin")
        origin = request.headers.get("Origin")
        if origin in origins:
            _welcome(answer, origin)
        return answer

    app.after_request(tell)


def _welcome(answer: Response, origin: str) -> None:
    answer.headers["Access-Control-Allow-Origin"] = origin
    answer.headers["Access-Control-Expose-Headers"] = _SHOWS
    if request.method == "OPTIONS":
        answer.headers["Access-Control-Allow-Headers"] = _ASKS
        answer.headers["Access-Control-Allow-Methods"] = answer.headers.get("Allow", "")
        answer.headers["Access-Control-Max-Age"] = str(_REMEMBERED_SECONDS)

"""
How each refusal looks to a program: RFC 9457. The only place where errors meet HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final

from flask import Response, current_app, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from core.errors import Denied, DomainError, Invalid, NotFound, Refused, Unavailable
from core.money import Money
from core.subscribers import Language
from menus.faces import face
from menus.languages import spoken

MIMETYPE: Final = "application/problem+json"

STATUSES: Final[Mapping[type[DomainError], HTTPStatus]] = {
    Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    NotFound: HTTPStatus.NOT_FOUND,
    Denied: HTTPStatus.FORBIDDEN,
    Refused: HTTPStatus.CONFLICT,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem that no rule of ours makes, but HTTP itself, or who speaks it."""

    code: str
    status: HTTPStatus
    title: str


UNREADABLE: Final = Problem(
    "unreadable", HTTPStatus.BAD_REQUEST, "The request is not what HTTP or JSON allow."
)
KEY_MISSING: Final = Problem(
    "key-missing",
    HTTPStatus.BAD_REQUEST,
    "What moves money needs an Idempotency-Key; it is 8 to 64 visible ASCII characters.",
)
NOT_KNOWN: Final = Problem(
    "not-known", HTTPStatus.UNAUTHORIZED, "The caller did not show who they are, or it is over."
)
NOT_PERMITTED: Final = Problem(
    "not-permitted", HTTPStatus.FORBIDDEN, "The caller may not do that at all."
)
NOT_HERE: Final = Problem("not-here", HTTPStatus.NOT_FOUND, "There is nothing at this address.")
NO_SUCH_METHOD: Final = Problem(
    "no-such-method", HTTPStatus.METHOD_NOT_ALLOWED, "This address does not take that method."
)
TOO_LARGE: Final = Problem(
    "too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is longer than 64 KiB."
)
NOT_JSON: Final = Problem(
    "not-json", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body must be application/json."
)
INVALID_REQUEST: Final = Problem(
    "invalid-request", HTTPStatus.UNPROCESSABLE_ENTITY, "A field is missing, unknown or wrong."
)
TOO_MANY_REQUESTS: Final = Problem(
    "too-many-requests", HTTPStatus.TOO_MANY_REQUESTS, "More requests than the limit allows."
)
UNEXPECTED: Final = Problem(
    "unexpected", HTTPStatus.INTERNAL_SERVER_ERROR, "Something went wrong on our side."
)
NOT_NOW: Final = Problem(
    "not-now", HTTPStatus.SERVICE_UNAVAILABLE, "The request was not done. It may be repeated."
)

OF_HTTP: Final = (
    UNREADABLE,
    KEY_MISSING,
    NOT_KNOWN,
    NOT_PERMITTED,
    NOT_HERE,
    NO_SUCH_METHOD,
    TOO_LARGE,
    NOT_JSON,
    INVALID_REQUEST,
    TOO_MANY_REQUESTS,
    UNEXPECTED,
    NOT_NOW,
)
_BY_STATUS: Final = {
    each.status: each
    for each in OF_HTTP
    if each not in (KEY_MISSING, INVALID_REQUEST, NOT_PERMITTED)
}


class Halted(Exception):
    """A request that is answered with a problem of HTTP's, and with what else it says."""

    def __init__(
        self, problem: Problem, *, headers: Mapping[str, str] | None = None, **members: object
    ) -> None:
        """Say which problem it is."""
        super().__init__(problem.code)
        self.problem, self.headers, self.members = problem, headers or {}, members


def of_error(error: DomainError) -> Response:
    """A refusal of the core's."""
    kind = next(kind for kind in STATUSES if isinstance(error, kind))
    members = {name: _plain(value) for name, value in error.params.items()}
    answer = _made(error.code, STATUSES[kind], title_of(type(error)), members)
    if kind is Unavailable:
        answer.headers["Retry-After"] = "5"
    return answer


def of_halt(halted: Halted) -> Response:
    """A request that was halted by us."""
    problem = halted.problem
    answer = _made(problem.code, problem.status, problem.title, halted.members)
    answer.headers.extend(halted.headers)
    return answer


def of_http(error: HTTPException) -> Response:
    """What Flask or Werkzeug objected to. Their words are not shown: they may quote what came."""
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    otherwise = UNREADABLE if status < HTTPStatus.INTERNAL_SERVER_ERROR else UNEXPECTED
    problem = _BY_STATUS.get(status, otherwise)
    answer = _made(problem.code, problem.status, problem.title, {})
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return answer


def status_of(error: type[DomainError]) -> HTTPStatus:
    """The status that a refusal is told with."""
    return next(status for kind, status in STATUSES.items() if issubclass(error, kind))


def type_of(code: str) -> str:
    """Where a problem is explained: its place on a page of ours (`gateway/problem_page.py`)."""
    return f"/problems#{code}"


def title_of(error: type[DomainError]) -> str:
    """What a refusal is called: the first line of what is written about it."""
    return (error.__doc__ or "").strip().splitlines()[0]


def _made(code: str, status: HTTPStatus, title: str, members: Mapping[str, object]) -> Response:
    body: dict[str, object] = {
        "type": type_of(code),
        "title": title,
        "status": status.value,
        "code": code,
        "instance": f"urn:request:{g.request_id}",
        **members,
    }
    return Response(current_app.json.dumps(body), status.value, mimetype=MIMETYPE)


def words(error: DomainError) -> str:
    """What an app may show: what a phone says, in the language the caller asks for."""
    codes = [language.value for language in spoken()]
    best = request.accept_languages.best_match(codes, default=Language.ENGLISH.value)
    return face(error).words.render(Language(best))


def _plain(value: object) -> Any:  # noqa: ANN401 - whatever JSON holds
    """A refusal's parameter as programs read it; money is a decimal string with its currency."""
    if isinstance(value, Money):
        major = Decimal(value.minor).scaleb(-value.currency.exponent)
        return {"value": f"{major:f}", "currency": value.currency.value}
    if isinstance(value, datetime):
        return value.isoformat()
    assert isinstance(value, int | str), f"a problem cannot tell {value!r}"
    return value

"""
The description of the routes (OpenAPI 3.1): what APIFlask finds, and what all have in common.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final, TypeVar

from apiflask import APIFlask

from core.errors import DomainError
from gateway import problems
from gateway.api.access import EVERYBODY, need_of
from gateway.problems import Problem

VERSION: Final = "1"
_ABOUT: Final = (
    "A bank on any phone, for programs. Money is a decimal string with its currency. What moves"
    " money takes an `Idempotency-Key`: the same key and request have the same answer, and move"
    " money once. Refusals are RFC 9457 problems; `code` says which."
)
_SCHEME: Final = "bearer"
_SCHEMES: Final = {
    _SCHEME: {
        "type": "http",
        "scheme": "bearer",
        "description": "A person's access token, or an API key (`sk_live_…`).",
    }
}
_PROBLEM: Final = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457. Some codes have members of their own.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri"},
    },
    "required": ["type", "title", "status", "code", "instance"],
}
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Made by the caller, once for each thing that is asked for.",
    "schema": {"type": "string", "minLength": 8, "maxLength": 64, "pattern": "^[!-~]{8,64}$"},
}
_LIMIT_HEADERS: Final = {
    name: {"schema": {"type": "integer", "minimum": 0}, "description": told}
    for name, told in (
        ("RateLimit-Limit", "How many requests a minute there may be."),
        ("RateLimit-Remaining", "How many are left."),
        ("RateLimit-Reset", "Seconds until there are more."),
    )
}
_BYTES: Final = {"contentEncoding": "binary"}
_LOCATION: Final = {
    "schema": {"type": "string", "format": "uri-reference"},
    "description": "Where to ask what became of it.",
}
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_EVERYWHERE: Final = (
    problems.UNREADABLE,
    problems.INVALID_REQUEST,
    problems.TOO_MANY_REQUESTS,
    problems.NOT_NOW,
)
_WITH_BODY: Final = (problems.TOO_LARGE, problems.NOT_JSON)

V = TypeVar("V", bound=Callable[..., Any])


def refuses(*errors: type[DomainError] | Problem) -> Callable[[V], V]:
    """Tell in the description what a route may refuse, beside what every route may."""

    def declared(view: V) -> V:
        view.refuses = errors  # type: ignore[attr-defined]
        return view

    return declared


def tells(mimetype: str, *, may_miss: bool = False) -> Callable[[V], V]:
    """Tell in the description that a route answers with what is no JSON; or that it may be none."""

    def declared(view: V) -> V:
        view.tells = mimetype  # type: ignore[attr-defined]
        view.may_miss = may_miss  # type: ignore[attr-defined]
        return view

    return declared


def hang(app: APIFlask) -> None:
    """Let the app describe its routes in our way."""
    app.config |= {
        "OPENAPI_VERSION": "3.1.0",
        "DESCRIPTION": _ABOUT,
        "SERVERS": [{"url": "/"}],
        "SECURITY_SCHEMES": _SCHEMES,
        "AUTO_404_RESPONSE": False,
        "AUTO_VALIDATION_ERROR_RESPONSE": False,
        "AUTO_AUTH_ERROR_RESPONSE": False,
        "AUTO_OPERATION_ID": True,
    }
    app.spec_processor(lambda spec: _finished(app, spec))


def _finished(app: APIFlask, spec: dict[str, Any] | str) -> dict[str, Any]:
    """Add to every operation what its view has declared, and what all of them have."""
    assert isinstance(spec, dict), "described as JSON"
    for path, method, view in routes(app):
        operation = spec["paths"][path][method]
        need = need_of(view)
        if need != EVERYBODY and need.permission is not None:
            operation["security"] = [{_SCHEME: []}]
            operation["x-needs"] = need.permission.value
        else:
            operation["security"] = []
        if hasattr(view, "keyed"):
            operation["parameters"] = [*operation.get("parameters", []), _KEY]
        elif hasattr(view, "may_be_keyed"):
            optional = _KEY | {"required": False}
            operation["parameters"] = [*operation.get("parameters", []), optional]
        if (mimetype := getattr(view, "tells", None)) is not None:
            shape = {"type": "string"} | ({} if mimetype.startswith("text/") else _BYTES)
            done = {"description": "As it is.", "content": {mimetype: {"schema": shape}}}
            operation["responses"] = {"200": done}
        if hasattr(view, "waits"):
            done = operation["responses"]["201"]
            done["headers"] = {"Location": _LOCATION}
            operation["responses"]["202"] = done | {"description": "Received, and not done yet."}
        for answer in operation["responses"].values():
            answer.setdefault("headers", {}).update(_LIMIT_HEADERS)
        told = _problems(path, operation, view)
        for status in sorted(told):
            operation["responses"][str(status.value)] = _response(status, told[status])
    flat: dict[str, Any] = _renamed(spec)
    schemas = flat.setdefault("components", {}).get("schemas", {})
    flat["components"]["schemas"] = _merged(schemas | {"Problem": _PROBLEM})
    flat["paths"] = dict(sorted(flat["paths"].items()))
    return flat


def routes(app: APIFlask) -> Iterator[tuple[str, str, Callable[..., Any]]]:
    """Every described route: its path and method as OpenAPI writes them, and its view."""
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if not hasattr(view, "_spec") or not rule.rule.startswith("/api/v1"):
            continue
        path = re.sub(r"<(?:[^<>:]+:)?([^<>]+)>", r"{\1}", rule.rule)
        for method in _METHODS:
            if method.upper() in (rule.methods or ()):
                yield path, method, view


def _problems(
    path: str, operation: Mapping[str, Any], view: Callable[..., Any]
) -> dict[HTTPStatus, list[tuple[str, str]]]:
    told: list[Problem] = [*_EVERYWHERE]
    if operation["security"]:
        told += [problems.NOT_KNOWN, problems.NOT_PERMITTED]
    if hasattr(view, "keyed") or hasattr(view, "may_be_keyed"):
        told.append(problems.KEY_MISSING)
    if "requestBody" in operation:
        told += _WITH_BODY
    if "{" in path or getattr(view, "may_miss", False):
        told.append(problems.NOT_HERE)
    found: dict[HTTPStatus, list[tuple[str, str]]] = {}
    for each in (*told, *getattr(view, "refuses", ())):
        if isinstance(each, Problem):
            status, title = each.status, each.title
        else:
            status, title = problems.status_of(each), problems.title_of(each)
        found.setdefault(status, []).append((each.code, title))
    return found


def _response(status: HTTPStatus, named: list[tuple[str, str]]) -> dict[str, Any]:
    told = "\n".join(f"- `{code}`: {title}" for code, title in named)
    headers: dict[str, Any] = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = {"schema": {"type": "string"}}
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        headers["Retry-After"] = {"schema": {"type": "integer", "minimum": 1}}
    answer: dict[str, Any] = {
        "description": told,
        "content": {problems.MIMETYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    return answer | ({"headers": headers} if headers else {})


def _renamed(node: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The same, with models that are inside others referred to by their own names."""
    if isinstance(node, list):
        return [_renamed(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {name: _renamed(value) for name, value in node.items()}
    if isinstance(to := made.get("$ref"), str):
        place, _slash, name = to.rpartition("/")
        made["$ref"] = f"{place}/{name.rpartition('.')[2]}"
    return made


def _merged(schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Every model once."""
    made: dict[str, Any] = {}
    for name, schema in sorted(schemas.items()):
        own = name.rpartition(".")[2]
        assert made.setdefault(own, schema) == schema, f"two models are called {own}"
    return made

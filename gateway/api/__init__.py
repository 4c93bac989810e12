"""The doors for programs: REST under `/api/v1`, described by OpenAPI, refusing in RFC 9457."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import structlog
from apiflask import APIBlueprint, APIFlask, HTTPError
from flask import Response
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from core.errors import DomainError
from gateway import problems
from gateway.api import (
    admin,
    admin_cases,
    admin_money,
    admin_people,
    auth,
    browsers,
    deposits,
    description,
    edge,
    exchange,
    google,
    holds,
    keys,
    limits,
    merchants,
    orders,
    own,
    pages,
    payment_links,
    receipts,
    reversals,
    transactions,
    transfers,
    vouchers,
    wallet,
    webhooks,
    withdrawals,
)
from gateway.api import log as sealed
from gateway.api.edge import Api
from gateway.problems import Halted

log = structlog.get_logger(__name__)

DOORS: Final[tuple[Callable[[Api], APIBlueprint], ...]] = (
    auth.door,
    google.door,
    own.door,
    keys.door,
    wallet.door,
    wallet.people,
    transfers.door,
    transfers.payments,
    orders.door,
    exchange.door,
    transactions.door,
    receipts.door,
    reversals.door,
    vouchers.door,
    holds.door,
    deposits.door,
    withdrawals.door,
    sealed.door,
    webhooks.door,
    merchants.door,
    merchants.refunding,
    payment_links.door,
    admin.door,
    admin_people.door,
    admin_cases.door,
    admin_money.door,
)


def hang(app: APIFlask, api: Api) -> None:
    """Hang every door for programs."""
    edge.hang(app, api)
    api.limiter.init_app(app)
    browsers.hang(app, api.origins)
    app.after_request(lambda answer: _counted(api, answer))
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(SQLAlchemyError, _failed)
    app.register_error_handler(Halted, problems.of_halt)
    count = partial(limits.count, api)
    for door in DOORS:
        hung = door(api)
        _register(app, hung)
        for endpoint, view in app.view_functions.items():
            if endpoint.startswith(f"{hung.name}."):
                app.view_functions[endpoint] = edge.transacted(view, count)
    description.hang(app)
    _register(app, pages.door(app))


def _register(app: APIFlask, door: APIBlueprint) -> None:
    """Hang one door. Whatever goes wrong in it is a problem, with nothing of ours in it."""
    door.register_error_handler(HTTPException, _http)
    door.register_error_handler(HTTPError, _invalid)
    door.register_error_handler(Halted, problems.of_halt)
    door.register_error_handler(DomainError, problems.of_error)
    door.register_error_handler(SQLAlchemyError, _failed)
    door.register_error_handler(Exception, _unexpected)
    app.register_blueprint(door)


def _counted(api: Api, answer: Response) -> Response:
    return limits.tell(api.limiter.current_limit, answer) if edge.is_ours() else answer


def _http(error: HTTPException) -> Response | HTTPException:
    return problems.of_http(error) if edge.is_ours() else error


def _invalid(error: HTTPError) -> Response:
    return problems.of_halt(Halted(problems.INVALID_REQUEST, errors=_faults(error)))


def _failed(error: SQLAlchemyError) -> Response | tuple[Response, int]:
    """Nothing was kept because the database did not answer: whoever told us must tell us again."""
    log.warning("door.database_failed", error=type(error).__name__)
    if edge.is_ours():
        return problems.of_halt(Halted(problems.NOT_NOW, headers={"Retry-After": "2"}))
    return Response("Not now. Please repeat this.", mimetype="text/plain"), 503


def _unexpected(error: Exception) -> Response:
    log.error("api.failed", exc_info=error)
    return problems.of_halt(Halted(problems.UNEXPECTED))


def _faults(error: HTTPError) -> list[dict[str, str]]:
    """Which field of what has which fault. What was sent is not said again."""
    return [
        {"in": place, "field": field, "fault": fault}
        for place, fields in error.detail.items()
        for field, faults in fields.items()
        for fault in faults
    ]

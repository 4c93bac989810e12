"""`GET /live`: this process answers. `GET /ready`: so does everything it needs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog
from flask import Blueprint, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError

from core import backlog, breaks
from core.db import Databases, allow
from core.seal import Anchor
from core.seal_outside import Outside

_DATABASE_SECONDS_MAX: Final = 2

log = structlog.get_logger(__name__)


def door(
    databases: Databases,
    clock: Callable[[], datetime],
    redis_answers: Callable[[], bool],
    outside: Outside,
) -> Blueprint:
    """Hang the two health doors. Ages are seconds; a backlog alone does not make us unready."""
    door = Blueprint("health", __name__)
    anchor = Anchor(outside)

    @door.get("/live")
    def live() -> Response:
        return jsonify(status="ok")

    @door.get("/ready")
    def ready() -> tuple[Response, int]:
        report: dict[str, object] = {"redis": "ok" if redis_answers() else "down"}
        allow(_DATABASE_SECONDS_MAX)
        try:
            with databases() as session:
                behind = backlog.oldest(session, now=clock())
                objection = anchor.objection(session)
                open_ = breaks.open_counts(session)
        except SQLAlchemyError as error:
            log.warning("ready.postgres_down", error=type(error).__name__)
            report["postgres"] = "down"
        else:
            report["postgres"] = "ok"
            report["oldest_order_seconds"] = round(behind.order.total_seconds(), 3)
            report["oldest_outbox_seconds"] = round(behind.outbox.total_seconds(), 3)
            report["oldest_inbox_seconds"] = round(behind.inbox.total_seconds(), 3)
            report["log"] = objection or "ok"
            report["open_breaks"] = sum(open_.values())
        is_ready = "down" not in report.values() and report.get("log") == "ok"
        report["status"] = "ready" if is_ready else "not ready"
        return jsonify(report), 200 if is_ready else 503

    return door

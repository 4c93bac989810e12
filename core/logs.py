"""
Logs: one JSON object a line, an event with its fields, never a sentence with values pasted in.
"""

from __future__ import annotations

import logging
import sys

import orjson
import structlog


def _json(event: object, **_: object) -> str:
    return orjson.dumps(event, default=str).decode()


def configure(level: int = logging.INFO) -> None:
    """
    Write every logger's lines to standard error.

    Tracebacks carry no local variables: one of them may be a PIN.
    """
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_json),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.getLogger("rq").setLevel(logging.WARNING)

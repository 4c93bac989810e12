"""
Logs: one JSON object a line, an event with its fields, never a sentence with values pasted in.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import orjson
import structlog


def _json(event: object, **_: object) -> str:
    return orjson.dumps(event, default=str).decode()


def configure(stream: TextIO = sys.stderr) -> None:
    """
    Write our events, and what libraries say from a warning upwards, to standard error.

    Tracebacks carry no local variables: one of them may be a PIN. Every process that converses or
    works calls this before anything else, as structlog's own default shows them.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    render = structlog.processors.JSONRenderer(serializer=_json)
    structlog.configure(
        processors=[*shared, render],
        logger_factory=structlog.PrintLoggerFactory(stream),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)

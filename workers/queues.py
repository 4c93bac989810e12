"""
RQ as a doorbell: a job means "there is work", carries ids at most, and may be lost or run twice.
"""

from __future__ import annotations

import time
from contextlib import suppress
from enum import StrEnum
from typing import Any, Final

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer

log = structlog.get_logger(__name__)

# A job that has not finished by then is given up; the relay rings again for what is undone.
_JOB_SECONDS_MAX: Final = 60
# Past this many unheard rings another one says nothing new.
_RINGS_MAX: Final = 20
_PAUSE_SECONDS: Final = 1.0


class Name(StrEnum):
    """One queue per worker: a worker of two queues loses a job when it dies between them."""

    LEDGER = "ledger"
    SMS = "sms"
    WEBHOOKS = "webhooks"
    MPESA = "mpesa"
    ISSUERS = "issuers"
    RAILS = "rails"


def queue(name: Name, redis: Redis) -> Queue:
    """A queue whose jobs are JSON: unpickling what Redis holds would run anybody's code."""
    return Queue(
        name.value,
        connection=redis,
        serializer=JSONSerializer,
        default_timeout=_JOB_SECONDS_MAX,
    )


def enqueue(line: Queue, job: str, *, is_first: bool = False, **ids: object) -> None:
    """
    Ring: run `job` (its dotted name) with ids. Leaves nothing behind in Redis when done.

    Args:
        line: Whose bell.
        job: What to run.
        is_first: Before whatever is queued already.
        ids: What of.
    """
    line.enqueue_call(
        job,
        kwargs=ids,
        result_ttl=0,
        failure_ttl=3600,
        ttl=600,
        description=job,
        at_front=is_first,
    )


def is_deaf(line: Queue, *, is_first: bool = False) -> bool:
    """Whether so many rings are unheard that another would only fill Redis."""
    return bool(line.count >= _RINGS_MAX * (2 if is_first else 1))


class Worker(SimpleWorker):
    """
    Runs jobs in this process, one after another: a fork for each would cost more than the job.

    The short ttl and maintenance interval bring a job back in seconds, not minutes, when its
    worker died between taking and starting it.
    """

    is_told_to_stop = False

    def __init__(self, line: Queue, **kwargs: Any) -> None:  # noqa: ANN401 - rq's own signature
        """Listen to one queue."""
        super().__init__(
            [line],
            connection=line.connection,
            serializer=JSONSerializer,
            worker_ttl=30,
            maintenance_interval=10,
            log_job_description=False,
            **kwargs,
        )

    def handle_warm_shutdown_request(self) -> None:
        """Remember it: RQ ends the same way when it is told to and when Redis was silent."""
        self.is_told_to_stop = True
        super().handle_warm_shutdown_request()  # type: ignore[no-untyped-call]


def serve(name: Name, redis: Redis) -> None:
    """
    Work off a queue until SIGTERM or SIGINT.

    RQ's worker leaves for good when Redis was silent for once. Then another takes its place, so
    that money moves on where nothing outside starts a process that ended.
    """
    worker: Worker | None = None
    while worker is None or not worker.is_told_to_stop:
        with suppress(StopRequested):
            try:
                worker = Worker(queue(name, redis))
                worker.work(logging_level="WARNING")
            except RedisError as error:
                log.warning("worker.redis_silent", queue=name.value, error=type(error).__name__)
            if worker is None or not worker.is_told_to_stop:
                log.warning("worker.begins_anew", queue=name.value)
                time.sleep(_PAUSE_SECONDS)

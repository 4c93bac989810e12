"""
Devices that end, at a door or by the workers, struck from the copy that the doors keep in Redis.
"""

from __future__ import annotations

import structlog
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import event
from sqlalchemy.orm import Session

from core.access import devices
from core.db import Databases

log = structlog.get_logger(__name__)


def watch_at(databases: Databases, url: str) -> Redis:
    """As `watch`, over a connection for whoever asks, who must close it."""
    redis = Redis.from_url(url, socket_connect_timeout=2)
    watch(databases, redis)
    return redis


def watch(databases: Databases, redis: Redis) -> None:
    """Strike what sessions end, before they commit, from now on."""

    def strike(session: Session) -> None:
        struck = devices.struck(session)
        if not struck:
            return
        try:
            with redis.pipeline(transaction=False) as pipe:
                for public_id in struck:
                    name = devices.copy_of(public_id)
                    pipe.set(name, devices.STRUCK, ex=devices.STRUCK_SECONDS)
                pipe.execute()
        except RedisError as error:
            # Who can look there still may for half a minute, and look is all they can do.
            log.warning("api.strike_lost", error=type(error).__name__)

    event.listen(databases, "before_commit", strike)

"""
A quick look at who is logged in: a copy in Redis of what Postgres said half a minute ago at most.

A device that ends is struck from it before the transaction that ends it commits, so the copy never
outlives what it is of. It may say "struck" of a device whose transaction then failed, or know
nothing: then Postgres is asked, as it is for everything that does more than look.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import structlog
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import event
from sqlalchemy.orm import Session

from core.access import devices
from core.access.devices import Standing
from core.db import Databases

log = structlog.get_logger(__name__)

KEPT_SECONDS: Final = 30


class QuickLook:
    """What Redis knows of devices, by their public ids."""

    def __init__(self, redis: Redis) -> None:
        """Take connections."""
        self._redis = redis

    def watch(self, databases: Databases) -> None:
        """Strike what sessions end, from now on."""
        event.listen(databases, "before_commit", self._strike)

    def find(self, public_id: str) -> Standing | None:
        """The device, if it was seen standing lately and nothing was heard of it since."""
        with suppress(RedisError):
            found = self._redis.get(devices.copy_of(public_id))
            if isinstance(found, bytes) and found != devices.STRUCK:
                device, subscriber, second = found.decode().split(":")
                return Standing(int(device), int(subscriber), second_factor=second == "1")
        return None

    def keep(self, public_id: str, standing: Standing) -> None:
        """Remember what Postgres says, unless the device was struck meanwhile."""
        said = f"{standing.id}:{standing.subscriber}:{int(standing.second_factor)}"
        with suppress(RedisError):
            self._redis.set(devices.copy_of(public_id), said, ex=KEPT_SECONDS, nx=True)

    def _strike(self, session: Session) -> None:
        struck = devices.struck(session)
        if not struck:
            return
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for public_id in struck:
                    name = devices.copy_of(public_id)
                    pipe.set(name, devices.STRUCK, ex=devices.STRUCK_SECONDS)
                pipe.execute()
        except RedisError as error:
            # Who can look there still may for half a minute, and look is all they can do.
            log.warning("api.strike_lost", error=type(error).__name__)

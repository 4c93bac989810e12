"""
A quick look at who is logged in: a copy in Redis of what Postgres said half a minute ago at most.

A device that ends is struck from it before the transaction that ends it commits
(`workers/strikes.py`), so the copy never outlives what it is of. It may say "struck" of a device
whose transaction then failed, or know nothing: then Postgres is asked, as it is for everything that
does more than look.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from redis import Redis
from redis.exceptions import RedisError

from core.access import devices
from core.access.devices import Standing

KEPT_SECONDS: Final = 30


class QuickLook:
    """What Redis knows of devices, by their public ids."""

    def __init__(self, redis: Redis) -> None:
        """Take connections."""
        self._redis = redis

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

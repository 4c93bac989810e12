"""
How fast we speak to a provider: one pace for all workers, kept in Redis.

So many messages a second, by the generic cell rate algorithm: `at` is when the next message would
be due if they went evenly, and whoever is more than a second ahead of it waits. A code may be two
seconds ahead, so that it passes a crowd of receipts; what is promotional may not be ahead at all,
so that it goes when nobody else wants to. With M-Pesa it is money that may be ahead, and questions
that may not.

When the provider is in trouble the whole line slows down: everybody pauses, twice as long each time
in a row, then one message goes to see; each success from then on doubles the pace, until it is the
usual one. What Redis loses is the trouble alone, which is met again at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final, cast

from redis import Redis

from core.outbox import Category

_SMS: Final = "kabambe:sms:pace"
_KEPT_MS: Final = 2 * 3600 * 1000
_SLOW_MAX: Final = 6
_PAUSE_FIRST_MS: Final = 500
_PAUSE_MAX_MS: Final = 3600 * 1000

# How far ahead of an even pace a message, or a call, may go.
_AHEAD_MS: Final = {Category.CODE: 2000, Category.RECEIPT: 1000, Category.PROMOTIONAL: 0}

# In all: KEYS[1] the pace, ARGV[1] now; milliseconds throughout.
_ENTER: Final = """
local kept = redis.call('HMGET', KEYS[1], 'at', 'slow', 'until')
local now, each = tonumber(ARGV[1]), tonumber(ARGV[2])
local ahead, count = tonumber(ARGV[3]), tonumber(ARGV[4])
local slow, till = tonumber(kept[2] or 0), tonumber(kept[3] or 0)
if till > now then return math.ceil(till - now) end
if slow > 0 then each, ahead = each * 2 ^ slow, 0 end
local at = math.max(tonumber(kept[1] or 0), now)
local wait = at + math.min(each, ahead) - now - ahead
if wait > 0 then return math.ceil(wait) end
redis.call('HSET', KEYS[1], 'at', string.format('%.3f', at + count * each))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 0
"""
_LEAVE: Final = """
local at = tonumber(redis.call('HGET', KEYS[1], 'at') or 0)
if at > 0 then redis.call('HSET', KEYS[1], 'at', string.format('%.3f', at - ARGV[2])) end
"""
# A pause that has begun is one trouble, however many calls it was met by.
_TROUBLE: Final = """
local kept = redis.call('HMGET', KEYS[1], 'slow', 'until')
local now, least, slow = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(kept[1] or 0)
local till = math.max(tonumber(kept[2] or 0), now + least)
if tonumber(kept[2] or 0) <= now then
    slow = math.min(slow + 1, tonumber(ARGV[3]))
    till = math.max(till, now + ARGV[4] * 2 ^ (slow - 1))
end
redis.call('HSET', KEYS[1], 'slow', slow, 'until', string.format('%.3f', till))
redis.call('PEXPIRE', KEYS[1], ARGV[5])
"""
_SUCCESS: Final = """
local kept = redis.call('HMGET', KEYS[1], 'slow', 'until')
local slow = tonumber(kept[1] or 0)
if slow > 0 and tonumber(kept[2] or 0) <= tonumber(ARGV[1]) then
    redis.call('HSET', KEYS[1], 'slow', slow - 1)
end
"""


class Pace:
    """
    The pace of every worker on one Redis.

    Args:
        redis: Where it is kept.
        clock: What time it is; workers' clocks may differ by less than a second.
        per_second: How many messages the provider is sent in a second, in the long run.
        name: Where in Redis it is kept: each provider has a pace of its own.
    """

    def __init__(
        self,
        redis: Redis,
        clock: Callable[[], datetime],
        *,
        per_second: int,
        name: str = _SMS,
    ) -> None:
        self._redis = redis
        self._key = name
        self._clock = clock
        self._each_ms = 1000 / per_second
        self._enter = redis.register_script(_ENTER)
        self._leave = redis.register_script(_LEAVE)
        self._trouble = redis.register_script(_TROUBLE)
        self._success = redis.register_script(_SUCCESS)
        self.batch_max = max(1, per_second)
        """Messages of one batch: no more than go in a second, or receipts would wait behind it."""

    def enter(self, category: Category, *, until: float, count: int = 1) -> bool:
        """
        Wait for our turn to send; False when it does not come in time.

        Args:
            category: What is to be sent.
            until: How long to wait (`time.monotonic`).
            count: How many messages.

        Raises:
            RedisError: Redis does not answer.
        """
        ahead = _AHEAD_MS[category]
        while wait_ms := cast(
            "int",
            self._enter(
                keys=[self._key], args=[self._now(), self._each_ms, ahead, count, _KEPT_MS]
            ),
        ):
            left = until - time.monotonic()
            if wait_ms / 1000 > left:
                return False
            time.sleep(wait_ms / 1000)
        return True

    def leave(self, count: int = 1) -> None:
        """Give turns back that were not used."""
        self._leave(keys=[self._key], args=[self._now(), count * self._each_ms])

    def slow_down(self, *, least_seconds: float = 0) -> None:
        """
        Say that the provider is in trouble: everybody waits.

        Args:
            least_seconds: For how long at least; how long the provider asked for.
        """
        least_ms = min(least_seconds * 1000, _PAUSE_MAX_MS)
        args = [self._now(), least_ms, _SLOW_MAX, _PAUSE_FIRST_MS, _KEPT_MS]
        self._trouble(keys=[self._key], args=args)

    def speed_up(self) -> None:
        """Say that the provider took a message."""
        self._success(keys=[self._key], args=[self._now()])

    def resume(self) -> None:
        """Forget all trouble."""
        self._redis.delete(self._key)

    def pause_seconds(self) -> float:
        """How long everybody waits from now on; nothing on a good day."""
        return pause_seconds(self._redis, now=self._clock(), name=self._key)

    def slowness(self) -> int:
        """How often the pace is halved; nothing on a good day."""
        return int(cast("bytes | None", self._redis.hget(self._key, "slow")) or 0)

    def _now(self) -> float:
        return self._clock().timestamp() * 1000


def pause_seconds(redis: Redis, *, now: datetime, name: str = _SMS) -> float:
    """How long nobody is to send anything from now on."""
    until = cast("bytes | None", redis.hget(name, "until"))
    return max(float(until or 0) / 1000 - now.timestamp(), 0)

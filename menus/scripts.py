"""Scripts that Redis runs, and how a door calls them: by one thread alone while it is silent."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import partial
from hashlib import sha1
from typing import Any, Final

from hiredis import pack_command
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from core.breaker import Breaker, Way
from menus.deadline import Deadline

# What takes so long to fail was waited for; nobody is refused so slowly.
_SILENCE_SECONDS: Final = 0.3


class Script:
    """A script, and what Redis calls it."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.digest = sha1(source.encode(), usedforsecurity=False).hexdigest()


class _Line(threading.local):
    """
    One connection per thread, to run scripts below redis-py's command layer.

    That layer (pool, retries, metrics, response callbacks) costs three times what the call itself
    does, and a navigation hop is little more than its calls.
    """

    def __init__(self, redis: Redis) -> None:
        """Take a connection of this thread's own at its first call."""
        pool = redis.connection_pool
        # Not from the pool, to which a thread that ends could not give it back; it closes itself.
        self._connect = partial(pool.connection_class, **pool.connection_kwargs)
        self._line: Any = None  # redis-py leaves its connections half typed

    def taken(self) -> Any:  # noqa: ANN401 - see above
        """The connection of whoever asks."""
        self._line = self._line or self._connect()
        return self._line


class Scripts:
    """
    What every thread calls its scripts by.

    A Redis that was silent is not called again but by one thread at a time: with a second a hop,
    few hops would take every thread of a process, and the others would stand in line.
    """

    def __init__(self, redis: Redis) -> None:
        """Hold what the threads have in common."""
        self._line = _Line(redis)
        self._breaker = Breaker()

    def call(
        self,
        script: Script,
        keys: Sequence[str],
        args: Sequence[str | int | bytes],
        deadline: Deadline,
    ) -> Any:  # noqa: ANN401 - whatever the script returns
        """
        Run a script. Tried twice, as an idle connection may have gone; never begun too late.

        Raises:
            RedisError: Redis did not answer.
        """
        way = self._breaker.way()
        if way is Way.SHUT:
            raise RedisConnectionError("Redis did not answer before")
        began = time.monotonic()
        try:
            found = self._call(script, keys, args, deadline)
        except RedisError:
            if time.monotonic() - began >= _SILENCE_SECONDS:  # gone is heard at once
                self._breaker.was_silent()
            raise
        finally:
            if way is Way.PROBE:
                self._breaker.probed()
        self._breaker.answered()
        return found

    def _call(
        self,
        script: Script,
        keys: Sequence[str],
        args: Sequence[str | int | bytes],
        deadline: Deadline,
    ) -> Any:  # noqa: ANN401 - whatever the script returns
        call: tuple[Any, ...] = ("EVALSHA", script.digest, len(keys), *keys, *args)
        for attempt in range(3):
            if not deadline.left:
                break
            line = self._line.taken()
            try:
                line.send_packed_command([pack_command(call)])
                return line.read_response()
            except NoScriptError:  # Redis is new, or was emptied
                line.send_command("SCRIPT", "LOAD", script.source)
                line.read_response()
            except (RedisConnectionError, RedisTimeoutError):
                line.disconnect()  # a late answer must not be taken for the next one's
                if attempt:
                    raise
        raise RedisConnectionError("there is no time left for Redis, or it forgets its scripts")

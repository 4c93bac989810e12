"""
The token that every call must carry: one for all workers, kept in Redis, fetched once by many.

Each new token ends the one before, so nobody may fetch one of their own. Whoever finds none, or
finds that theirs has ended, takes the lock; the others wait for what the first one brings. It is
the one secret that Redis holds in the clear: the wire wants it back as it came, and within an hour
it is worth nothing.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, cast

import structlog
from redis import Redis
from redis.exceptions import RedisError

from workers.daraja import wire
from workers.errors import Blocked, CallFailed, Unreachable
from workers.transport import Timeouts, Transport

log = structlog.get_logger(__name__)

BAD_KEY: Final = "BadKey"

_KEY: Final = "kabambe:mpesa:token"
_LOCK: Final = "kabambe:mpesa:token:lock"
_EARLY_SECONDS: Final = 60
_LOCK_MS: Final = 15_000
_PATIENCE_SECONDS: Final = 13.0
_LOOK_SECONDS: Final = 0.05
_PATH: Final = "/oauth/v1/generate"

# Gives the lock back, unless it has become somebody else's by then.
_UNLOCK: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class Token:
    """
    The token of one app of Daraja's, shared through one Redis.

    Args:
        redis: Where it is shared.
        url: The API's base.
        key: The app's consumer key.
        secret: Its consumer secret.
        timeouts: In seconds.
    """

    def __init__(
        self, redis: Redis, *, url: str, key: str, secret: str, timeouts: Timeouts
    ) -> None:
        self._redis = redis
        self._url = url
        self._timeouts = timeouts
        word = base64.b64encode(f"{key}:{secret}".encode()).decode()
        self._transport = Transport(
            headers={"Authorization": f"Basic {word}", "Accept": "application/json"}
        )
        self._unlock = redis.register_script(_UNLOCK)

    def current(self, *, ended: str | None = None) -> str:
        """
        The token to call with.

        Args:
            ended: One that was refused. It is replaced, unless somebody has replaced it already.

        Raises:
            Blocked: Safaricom does not know our key.
            Unreachable: There is none to be had now. Nothing else was called.
        """
        until = time.monotonic() + _PATIENCE_SECONDS
        try:
            while time.monotonic() < until:
                found = self._read()
                if found is not None and found != ended:
                    return found
                with self._locked() as is_ours:
                    if is_ours:
                        return self._replace(ended)
                time.sleep(_LOOK_SECONDS)
        except RedisError as error:
            raise Unreachable(f"no token: Redis ({type(error).__name__})") from None
        raise Unreachable("no token: somebody else is fetching one, and has not")

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def _read(self) -> str | None:
        kept = cast("bytes | None", self._redis.get(_KEY))
        return None if kept is None else kept.decode()

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        mark = secrets.token_hex(8)
        is_ours = bool(self._redis.set(_LOCK, mark, nx=True, px=_LOCK_MS))
        try:
            yield is_ours
        finally:
            if is_ours:
                with suppress(RedisError):  # it ends by itself
                    self._unlock(keys=[_LOCK], args=[mark])

    def _replace(self, ended: str | None) -> str:
        found = self._read()
        if found is not None and found != ended:
            return found
        told = self._fetch()
        kept_seconds = max(told.seconds - _EARLY_SECONDS, told.seconds // 2, 1)
        self._redis.set(_KEY, told.token, ex=kept_seconds)
        log.info("mpesa.token_fetched", seconds=told.seconds)
        return told.token

    def _fetch(self) -> wire.Granted:
        try:
            answer = self._transport.request(
                "GET",
                self._url + _PATH,
                headers={},
                data=None,
                params={"grant_type": "client_credentials"},
                timeouts=self._timeouts,
            )
        except CallFailed as failure:  # no money is asked for here: silence is no doubt
            raise Unreachable(f"no token: {failure.why}") from None
        if answer.status in (400, 401, 403):
            raise Blocked(
                f"no token: HTTP {answer.status}, the key or the secret is wrong", BAD_KEY
            )
        if answer.status != 200:  # noqa: PLR2004 - OK
            raise Unreachable(f"no token: HTTP {answer.status}")
        try:
            return wire.granted(answer.body or b"")
        except wire.Misread as error:
            raise Unreachable(f"no token: the answer is not understood ({error})") from None

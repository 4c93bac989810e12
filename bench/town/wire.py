"""
The aggregator's side of the doors: forms over kept connections, sent again when one was lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

TRIES_MAX: Final = 60
_PAUSE_SECONDS: Final = 0.5
# The aggregator hangs up after ten; what comes later nobody hears.
_PATIENCE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Heard:
    """
    What came back.

    Args:
        body: The words.
        screen: The name of the screen, from the response's header.
        seconds: How long the answered try took.
        lost: How many tries were lost with their connection before it.
    """

    body: str
    screen: str
    seconds: float
    lost: int = 0


class Unheard(Exception):
    """The door did not answer in time."""


class Wire:
    """Connections to one port of this machine."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, path: str, form: Mapping[str, str]) -> Heard:
        """
        Send a form; again, over a new connection, while there is nobody to hear it.

        Raises:
            Unheard: It was heard, and not answered in time; or nobody came for long.
        """
        body = urlencode(form).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: town\r\nUser-Agent: at-ussd-api/1.0\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        for lost in range(TRIES_MAX):
            began = time.perf_counter()
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    words, screen = await self._exchange(head + body)
            except TimeoutError:
                raise Unheard(path) from None
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(_PAUSE_SECONDS if lost else 0)
                continue
            return Heard(words, screen, time.perf_counter() - began, lost)
        raise Unheard(path)

    async def _exchange(self, request: bytes) -> tuple[str, str]:
        if self._idle:
            reader, writer = self._idle.pop()
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(request)
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            headers = {
                name.strip().lower(): value.strip()
                for name, _colon, value in (line.partition(":") for line in head.split("\r\n"))
            }
            body = await reader.readexactly(int(headers["content-length"]))
        except BaseException:
            writer.close()
            raise
        if headers.get("connection", "").lower() == "close":
            writer.close()
        else:
            self._idle.append((reader, writer))
        return body.decode(), headers.get("at-ussd-hop-metadata", "")

    async def close(self) -> None:
        """Hang up."""
        for _reader, writer in self._idle:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        self._idle.clear()

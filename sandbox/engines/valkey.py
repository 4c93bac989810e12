"""An embedded Valkey, which speaks Redis's protocol."""

from __future__ import annotations

import contextlib
import re
import signal
from pathlib import Path
from urllib.parse import quote

from sandbox.engines import binaries
from sandbox.engines.engine import Engine, Words
from sandbox.engines.places import private, sockets

_ANSWER_BYTES_MAX = 64 * 1024


class Valkey(Engine):
    """A Valkey that keeps what it is told for the next start; with `fast`, nothing."""

    name = "redis"
    end_signal = signal.SIGTERM

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket_path), safe='/')}?db=0"

    @property
    def socket_path(self) -> Path:
        return sockets(self.home) / "redis.sock"

    @property
    def pid(self) -> int | None:
        found = re.search(rb"process_id:(\d+)", self._ask(b"INFO server\r\n", until=b"process_id"))
        return int(found[1]) if found else None

    def _adopt(self) -> bool:
        return self._ready()

    def _ready(self) -> bool:
        return self._ask(b"PING\r\n", until=b"PONG") == b"+PONG\r\n"

    def _start(self) -> None:
        self.socket_path.unlink(missing_ok=True)
        keep = ("no" if self.fast else "yes", "--appendfsync", "everysec", "--save", "")
        server: Words = [binaries.valkey(), "--port", "0", "--dir", private(self.data)]
        listen: Words = ["--unixsocket", self.socket_path, "--unixsocketperm", "700"]
        limits = ["--maxmemory-policy", "noeviction"]
        self._serve(self._launch(*server, *listen, *limits, "--appendonly", *keep))

    def _ask(self, question: bytes, *, until: bytes) -> bytes:
        """
        What the server answers to a command, raw; empty when no server is there.

        Args:
            question: the command.
            until: a word after whose line the answer is long enough.

        """
        answer = b""
        with contextlib.suppress(OSError), self._connect() as connection:
            connection.sendall(question)
            while len(answer) < _ANSWER_BYTES_MAX:
                part = connection.recv(4096)
                answer += part
                if not part or b"\n" in answer.partition(until)[2] or answer.startswith(b"-"):
                    break
        return answer

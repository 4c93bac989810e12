"""
Load: sessions at once, each over a connection of its own, each hop sent when the last was answered.

A connection belongs to one of the web's processes for good; a new one for each session lets the
process that is free take it. One thread and preformatted bytes, so that the client takes little of
the machine it measures on.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

Script = Iterator["Hop"]


@dataclass(slots=True)
class Hop:
    """One request: whose session, what was typed so far, and what kind of hop it is."""

    kind: str
    msisdn: str
    session: str
    text: str
    answer: str = ""
    pause: float = 0.0
    """Seconds the person thinks before sending it."""


@dataclass
class Measured:
    """Seconds each hop took, by kind, and how long it all lasted."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    lasted: float = 0.0
    answers: list[Hop] = field(default_factory=list)

    def rate(self, *kinds: str) -> float:
        """Hops of these kinds per second of the time such hops took, with all sessions at work."""
        count = sum(len(self.seconds.get(kind, [])) for kind in kinds)
        return count / self.lasted if self.lasted else 0.0

    def percentile(self, share: float, *kinds: str) -> float:
        """Milliseconds within which this share of the hops was answered."""
        found = sorted(each for kind in kinds for each in self.seconds.get(kind, []))
        return 1000 * found[min(int(len(found) * share), len(found) - 1)] if found else 0.0


@dataclass
class _Line:
    """One caller: their session and its connection."""

    make: Callable[[], Script]
    port: int
    path: str
    sock: socket.socket = field(init=False)
    script: Script = field(init=False)
    hop: Hop | None = None
    sent_at: float = 0.0
    due: float = 0.0
    heard: bytes = b""


def drive(
    port: int, path: str, scripts: Sequence[Callable[[], Script]], *, seconds: float
) -> Measured:
    """
    Play scripts side by side, each again and again, for so many seconds.

    A script that has begun when the time is over is played to its end.
    """
    measured = Measured()
    with selectors.DefaultSelector() as selector:
        lines = [_Line(make, port, path) for make in scripts]
        began = time.perf_counter()
        ends = began + seconds
        for line in lines:
            _begin(line, selector)
        talking = len(lines)
        while talking:
            due = min((line.due for line in lines if line.due), default=0.0)
            patience = max(due - time.perf_counter(), 0.0) if due else 30
            for key, _events in selector.select(timeout=patience):
                if _hear(key.data, measured) and not _go_on(key.data, selector, ends):
                    talking -= 1
            for line in lines:
                if line.due and line.due <= time.perf_counter():
                    _send(line)
        measured.lasted = time.perf_counter() - began
    return measured


def _begin(line: _Line, selector: selectors.BaseSelector) -> None:
    """Begin a session on a new connection."""
    line.script = line.make()
    line.sock = socket.create_connection(("127.0.0.1", line.port), timeout=30)
    line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    selector.register(line.sock, selectors.EVENT_READ, line)
    _take(line, next(line.script))


def _go_on(line: _Line, selector: selectors.BaseSelector, ends: float) -> bool:
    """Take the session's next hop, or begin the next session; False when all is over."""
    hop = next(line.script, None)
    if hop is not None:
        _take(line, hop)
        return True
    selector.unregister(line.sock)
    line.sock.close()
    if time.perf_counter() > ends:
        return False
    _begin(line, selector)
    return True


def _take(line: _Line, hop: Hop) -> None:
    """Send a hop, or leave it till its pause is over."""
    line.hop = hop
    if hop.pause:
        line.due = time.perf_counter() + hop.pause
    else:
        _send(line)


def _send(line: _Line) -> None:
    hop = line.hop
    assert hop is not None
    text = hop.text.replace("*", "%2A").replace("+", "%2B")
    body = (
        f"phoneNumber=%2B{hop.msisdn[1:]}&serviceCode=%2A384%23&text={text}"
        f"&sessionId={hop.session}&networkCode=63902"
    )
    line.heard, line.due, line.sent_at = b"", 0.0, time.perf_counter()
    line.sock.sendall(
        f"POST {line.path} HTTP/1.1\r\nHost: bench\r\nUser-Agent: at-ussd-api/1.0\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        f"{body}".encode()
    )


def _hear(line: _Line, measured: Measured) -> bool:
    """Take in what has come; True when the answer is whole."""
    received = line.sock.recv(65536)
    if not received:
        raise ConnectionError("the server closed the connection")
    line.heard += received
    head, separator, body = line.heard.partition(b"\r\n\r\n")
    if not separator:
        return False
    low = head.lower()
    at = low.index(b"content-length:") + len(b"content-length:")
    if len(body) < int(low[at:].split(b"\r\n", 1)[0]):
        return False
    assert line.hop is not None
    took = time.perf_counter() - line.sent_at
    measured.seconds.setdefault(line.hop.kind, []).append(took)
    line.hop.answer = body.decode()
    measured.answers.append(line.hop)
    return True

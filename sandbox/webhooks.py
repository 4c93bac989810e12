"""
A program of somebody's that is told by webhooks: it shows what came, and fails as it is told to.

`POST /webhooks/<name>` takes whatever comes, for as many names as are wanted; `GET
/webhooks/<name>` shows what came, the newest last, headers and body as they were. `PUT
/webhooks/<name>/faults` with JSON scripts its next answers, in order; `DELETE /webhooks` forgets
everything. A fault may have:

| field     | the caller sees                                                      |
|-----------|----------------------------------------------------------------------|
| `next`    | it as often as this (1)                                              |
| `status`  | this status (200)                                                    |
| `headers` | these headers, such as `Retry-After` or `Location`                   |
| `body`    | this body                                                            |
| `seconds` | nothing for so long                                                  |
| `cut`     | the connection reset: `before` an answer, or `inside` its body       |
| `drip`    | the body a letter at a time, with so many seconds between            |
| `endless` | a body that does not end                                             |
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from itertools import repeat
from typing import Annotated, Final, Literal

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field

from sandbox.resets import reset

_KEPT_MAX: Final = 1000
_SECONDS_MAX: Final = 120.0


class Fault(BaseModel):
    """How one program fails."""

    model_config = ConfigDict(extra="forbid")

    next: Annotated[int, Field(ge=1, le=10_000)] = 1
    status: Annotated[int, Field(ge=200, le=599)] = 200
    headers: dict[str, str] = {}
    body: Annotated[str, Field(max_length=100_000)] = ""
    seconds: Annotated[float, Field(ge=0, le=_SECONDS_MAX)] = 0
    cut: Literal["before", "inside"] | None = None
    drip: Annotated[float, Field(ge=0, le=_SECONDS_MAX)] | None = None
    endless: bool = False


class Programs:
    """What came to each, and how each fails next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._came: defaultdict[str, deque[dict[str, object]]] = defaultdict(
            lambda: deque(maxlen=_KEPT_MAX)
        )
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)

    def take(self, name: str, letter: dict[str, object]) -> Fault:
        """Keep what came; say how to answer."""
        with self._lock:
            self._came[name].append(letter)
            scripts = self._faults[name]
            if not scripts:
                return Fault()
            scripts[0].next -= 1
            return scripts[0] if scripts[0].next else scripts.popleft()

    def came(self, name: str) -> list[dict[str, object]]:
        """Everything that came to one."""
        with self._lock:
            return list(self._came[name])

    def script(self, name: str, faults: list[Fault]) -> None:
        """Let one fail so from now on."""
        with self._lock:
            self._faults[name] = deque(faults)

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._came.clear()
            self._faults.clear()


def create_blueprint() -> Blueprint:
    """Hang the programs."""
    hooks = Blueprint("webhooks", __name__)
    programs = Programs()

    @hooks.post("/webhooks/<name>")
    def take(name: str) -> Response:
        letter: dict[str, object] = {
            "at": time.time(),
            "headers": {key.lower(): value for key, value in request.headers.items()},
            "body": request.get_data(as_text=True),
        }
        fault = programs.take(name, letter)
        time.sleep(fault.seconds)
        if fault.cut == "before":
            return reset()
        body: Iterator[str] | str = fault.body
        if fault.cut == "inside":
            body = _broken()
        elif fault.endless:
            body = repeat("and so on " * 1000)
        elif fault.drip is not None:
            body = _dripping(fault.body, fault.drip)
        return Response(body, fault.status, fault.headers, mimetype="text/plain")

    @hooks.get("/webhooks/<name>")
    def show(name: str) -> Response:
        return jsonify(programs.came(name))

    @hooks.put("/webhooks/<name>/faults")
    def script(name: str) -> tuple[str, int]:
        programs.script(name, [Fault(**each) for each in request.get_json()])
        return "", 204

    @hooks.delete("/webhooks")
    def forget() -> tuple[str, int]:
        programs.forget()
        return "", 204

    return hooks


def _dripping(body: str, seconds: float) -> Iterator[str]:
    for letter in body:
        time.sleep(seconds)
        yield letter


def _broken() -> Iterator[str]:
    yield "hal"
    raise ConnectionResetError(104, "Connection reset by peer")

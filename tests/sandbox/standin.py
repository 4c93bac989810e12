"""
What our web looks like from the network: a small menu and the callback doors, on a real socket.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests
from flask import Flask, Response, request
from werkzeug.serving import make_server

from sandbox.africastalking.courier import Pace

TOKEN = "sandbox"
CODE = "*384#"


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Serve an app on a free port, and give its base URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def until(condition: Callable[[], Any], *, seconds: float = 5) -> Any:
    """Wait for a condition and return what it gave."""
    ends = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.005)
    return found


@dataclass
class StandIn:
    """A web with two screens; what it was sent is kept, and its answers can be spoiled."""

    hops: list[dict[str, str]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    callbacks: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    answer: Callable[[str], Response | str] | None = None
    refuse: int = 0
    """How many of the next callbacks are answered 500."""

    def screen(self, text: str) -> str:
        match text.split("*"):
            case [""]:
                return "CON Kabambe\n1. Send money\n2. Help"
            case ["1"]:
                return "CON Send money to:\n0. Back"
            case ["1", number]:
                return f"CON Amount for {number}:"
            case ["1", number, amount]:
                return f"END Sent KES {amount} to {number}."
            case _:
                return "END Help: call 100."

    def got(self, door: str) -> list[dict[str, str]]:
        return [form for name, form in self.callbacks if name == door]

    def app(self) -> Flask:
        app = Flask("standin")

        @app.post(f"/ussd/africastalking/{TOKEN}")
        def hop() -> Response | str:
            self.bodies.append(request.get_data())
            self.headers.append(dict(request.headers))
            self.hops.append(request.form.to_dict())
            said = request.form["text"]
            return self.screen(said) if self.answer is None else self.answer(said)

        @app.post(f"/ussd/africastalking/{TOKEN}/<door>")
        @app.post(f"/sms/africastalking/{TOKEN}/<door>")
        def callback(door: str) -> tuple[str, int]:
            self.callbacks.append((door, request.form.to_dict()))
            if self.refuse:
                self.refuse -= 1
                return "", 500
            return "", 200

        return app


KEY = "sandbox-word"
PACE = Pace(
    report_after=0.01,
    retry_after=(0.01, 0.01, 0.01),
    hop_deadline=1.5,
    session_life=60,
    stream_ping=0.05,
    stream_life=30,
)


@dataclass
class Country:
    url: str
    web: StandIn

    def send(self, *, key: str | None = KEY, accept: str = "application/json", timeout=5, **form):
        form = {"username": "sandbox", "to": "+254711000001", "message": "Hello", **form}
        return requests.post(
            f"{self.url}/africastalking/version1/messaging",
            data={name: value for name, value in form.items() if value is not None},
            headers={"Accept": accept, **({"apiKey": key} if key else {})},
            timeout=timeout,
        )

    def spoil(self, **script):
        answer = requests.post(f"{self.url}/africastalking/faults", json=script, timeout=5)
        assert answer.status_code == 201, answer.text

    def received(self, to: str | None = None) -> list[dict[str, str]]:
        params = None if to is None else {"to": to}
        return requests.get(f"{self.url}/africastalking/messages", params=params, timeout=5).json()

    def ussd(self, **body):
        return requests.post(f"{self.url}/africastalking/ussd", json=body, timeout=5)

    def dial(self, dialled: str = CODE, phone: str = "0712000001", **more):
        return self.ussd(phone=phone, dial=dialled, **more).json()

    def reports(self) -> list[dict[str, str]]:
        return self.web.got("delivery")

"""
An app on somebody's phone, or a program with a key: what they send, and what they are told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from flask.testing import FlaskClient

_keys = count(1)
V1 = "/api/v1"


def a_key() -> str:
    """An idempotency key that nobody has used."""
    return f"key-{next(_keys):08}"


@dataclass
class App:
    """Whoever sends requests. The last answer is kept; a problem is always a whole one."""

    client: FlaskClient
    bearer: str | None = None
    answer: Any = field(init=False, default=None)

    def asks(self, method: str, path: str, **words: Any) -> Any:
        headers = dict(words.pop("headers", {}))
        if self.bearer is not None:
            headers.setdefault("Authorization", f"Bearer {self.bearer}")
        path = path if path.startswith("/api/") else V1 + path
        self.answer = self.client.open(path, method=method, headers=headers, **words)
        if self.answer.status_code >= 400:
            assert_problem(self.answer)
        return self.answer

    def gets(self, path: str, **words: Any) -> Any:
        return self.asks("GET", path, **words)

    def posts(self, path: str, body: object = None, *, key: str | None = "", **words: Any) -> Any:
        """Post JSON under a key of its own, the given one, or none."""
        headers = dict(words.pop("headers", {}))
        if key is not None:
            headers["Idempotency-Key"] = key or a_key()
        return self.asks("POST", path, json={} if body is None else body, headers=headers, **words)

    def is_refused(self, status: int, code: str) -> dict[str, Any]:
        """The last answer was this problem."""
        assert (self.answer.status_code, self.answer.json["code"]) == (status, code), (
            self.answer.status_code,
            self.answer.json,
        )
        problem: dict[str, Any] = self.answer.json
        return problem


def fifty(house: Any, app: App, ask: Callable[[App], Any]) -> list[Any]:
    """What the same caller is answered who asks fifty times at once, each over their own line."""
    answers = []

    def work() -> None:
        answers.append(ask(App(house.app.test_client(), app.bearer)))

    with house.crowd():
        threads = [threading.Thread(target=work) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(answers) == 50
    return answers


def pages(app: App, path: str, *, limit: int = 40, between: Callable[[], object]) -> list[Any]:
    """What is listed, page after page to the last; `between` happens after each that has a next."""
    page = app.gets(f"{path}?limit={limit}").json
    found = [page]
    while page["next"] is not None:
        assert len(found) < 100
        between()
        page = app.gets(f"{path}?limit={limit}&cursor={page['next']}").json
        found.append(page)
    return found


def assert_problem(answer: Any) -> None:
    """RFC 9457, of this request, with nothing of ours in it."""
    assert answer.mimetype == "application/problem+json", answer.data
    problem = answer.json
    assert problem["type"] == f"/problems#{problem['code']}"
    assert problem["status"] == answer.status_code
    assert problem["title"].endswith(".")
    assert problem["instance"] == f"urn:request:{answer.headers['X-Request-Id']}"
    assert b"Traceback" not in answer.data


def kes(value: str) -> dict[str, str]:
    return {"value": value, "currency": "KES"}

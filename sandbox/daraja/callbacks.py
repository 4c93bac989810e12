"""
What Safaricom posts to us: each letter once, whatever is answered, and spoilt when scripts say so.

The headers are those that were seen on the wire; there is no signature.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from functools import partial

import requests
from requests.adapters import HTTPAdapter

from sandbox.daraja import spoiling, wire
from sandbox.daraja.faults import Callback
from sandbox.daraja.record import Record
from sandbox.daraja.spoiling import Before, Letter
from sandbox.daraja.terms import House
from sandbox.errands import Errands

_HELD_SECONDS = 10.0
"""How long a letter waits at most for another one to overtake it."""
_LETTER_SECONDS = 10.0
_ANSWER_MAX = 64 * 1024


class Callbacks:
    """Posts letters, on errands' threads or at once."""

    def __init__(self, errands: Errands, house: House, record: Record) -> None:
        self._errands = errands
        self._house = house
        self._record = record
        self._lock = threading.Lock()
        self._held: dict[str, list[Letter]] = {}
        self._before: dict[str, Before] = {}

    def send(self, letter: Letter, spoilt: Callback | None) -> None:
        """Let a letter go out, when and as it is due."""
        with self._lock:
            before = self._before.get(letter.kind, Before())
            self._before[letter.kind] = Before(
                letter.url, spoiling.receipt_of(letter.body) or before.receipt
            )
            is_held = spoilt is not None and spoilt.kind == "swapped"
            if is_held:
                self._held.setdefault(letter.kind, []).append(letter)
        if is_held:
            self._errands.later(_HELD_SECONDS, partial(self._release, letter.kind))
            return
        is_cut = spoilt is not None and spoilt.kind == "corrupt"
        for wait, each in spoiling.versions(letter, spoilt, before):
            after = wait + self._house.terms.callback_after
            self._errands.later(after, partial(self._go, each, cut=is_cut))

    def hurry(self, letter: Letter) -> threading.Event:
        """Let a letter go out at once, and tell when it was taken or not."""
        told = threading.Event()

        def go() -> None:
            self.post(letter)
            told.set()

        self._errands.later(0, go)
        return told

    def forge(self, letter: Letter, *, ours: bool) -> None:
        """Post, as a stranger might, what Safaricom never said."""
        if not ours:
            letter = replace(letter, url=spoiling.elsewhere(letter.url))
        self._errands.later(0, partial(self._go, letter, cut=False))

    def post(self, letter: Letter, *, cut: bool = False) -> str | None:
        """Post a letter now; the answer's body, or None when it was not 200 in time."""
        text = wire.dumps(letter.body)
        if cut:
            text = text[: len(text) // 2]
        return self._post(letter, text, _LETTER_SECONDS)

    def ask(self, letter: Letter) -> str | None:
        """Post what wants an answer, and wait for it as long as Safaricom does."""
        return self._post(letter, wire.dumps(letter.body), self._house.terms.validation_seconds)

    def _go(self, letter: Letter, *, cut: bool) -> None:
        self.post(letter, cut=cut)
        self._release(letter.kind)

    def _release(self, kind: str) -> None:
        """Let go whoever waited for this letter to overtake it."""
        with self._lock:
            held = self._held.pop(kind, [])
        for each in held:
            self.post(each)

    def _post(self, letter: Letter, text: str, deadline: float) -> str | None:
        terms = self._house.terms
        headers = {
            "Content-Type": "application/json;charset=UTF-8",
            "Businessshortcode": letter.shortcode,
            "User-Agent": "Apache-HttpClient/4.5.5 (Java/1.8.0_362)",
        }
        if terms.forwarded_for:
            headers["X-Forwarded-For"] = terms.forwarded_for
        began = time.monotonic()
        status, answer = 0, ""
        try:
            with (
                _line(terms.source) as line,
                line.post(
                    letter.url,
                    data=text.encode(),
                    headers=headers,
                    timeout=(3, deadline),
                    allow_redirects=False,
                    stream=True,
                ) as reply,
            ):
                answer = _read(reply, began + deadline)
                status = reply.status_code
        except requests.RequestException as error:
            answer = type(error).__name__
        self._record.told(
            kind=letter.kind,
            url=letter.url,
            body=text,
            status=status,
            answer=answer,
            milliseconds=round((time.monotonic() - began) * 1000),
        )
        return answer if status == requests.codes.ok else None


class _From(HTTPAdapter):
    """Connects from a chosen address of this machine."""

    def __init__(self, source: str) -> None:
        self._source = source
        super().__init__()

    def init_poolmanager(self, *arguments: object, **more: object) -> None:
        super().init_poolmanager(*arguments, source_address=(self._source, 0), **more)  # type: ignore[arg-type]  # handed through as they came


def _line(source: str | None) -> requests.Session:
    """Open a fresh way to whoever is called, past whatever proxy the environment names."""
    session = requests.Session()
    session.trust_env = False
    if source is not None:
        for scheme in ("http://", "https://"):
            session.mount(scheme, _From(source))
    return session


def _read(reply: requests.Response, ends: float) -> str:
    """Read the body before the deadline, however slowly it drips."""
    body = b""
    for chunk in reply.iter_content(4_096):
        body += chunk
        if time.monotonic() > ends:
            raise requests.Timeout
        if len(body) > _ANSWER_MAX:
            break
    return body.decode("utf-8", errors="replace")

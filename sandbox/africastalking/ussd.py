"""The network's side of USSD: it carries answers to our door, and enforces the provider's rules."""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Literal

import requests

from sandbox.africastalking import gsm7, wire
from sandbox.africastalking.courier import Courier, Pace, line

NETWORK_ERROR = "Connection problem or invalid MMI code."
"""What a handset shows whatever went wrong on the way."""

_SESSIONS_MAX = 2_000
_BODY_MAX = 16_000
"""Characters of an answer that are read at all."""
_SCREEN_ADVISED = 160
"""Septets that fit on every Kenyan network; 182 is what a USSD string can hold."""

Status = Literal["Success", "Incomplete", "Failed"]


@dataclass
class Session:
    """One call: what was said so far, and how it stands."""

    id: str
    msisdn: str
    service_code: str
    inputs: list[str]
    duplicate: bool
    began: float = field(default_factory=time.monotonic)
    hops: int = 0
    labels: list[str] = field(default_factory=list)
    last_answer: str = ""
    screen: str = ""
    ended: bool = False
    turn: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class Exchange:
    """One request to our door and what came back."""

    url: str
    request: dict[str, str]
    status: int | None
    response: str
    milliseconds: int
    label: str = ""
    error: str = ""


@dataclass(frozen=True)
class Reply:
    """What the handset shows after a turn."""

    session: Session | None
    screen: str
    ended: bool
    error: str = ""
    exchange: Exchange | None = None
    copy: Exchange | None = None

    def shown(self) -> dict[str, object]:
        """Say it as JSON does."""
        body: dict[str, object] = {
            "session": self.session.id if self.session else None,
            "screen": self.screen,
            "ended": self.ended,
        }
        if self.error:
            body["error"] = self.error
        body["exchange"] = self._exchange()
        return body

    def _exchange(self) -> dict[str, object] | None:
        if self.exchange is None or self.session is None:
            return None
        said = self.exchange.response[4:]
        body: dict[str, object] = {
            "hop": self.session.hops,
            "url": self.exchange.url,
            "request": self.exchange.request,
            "status": self.exchange.status,
            "response": self.exchange.response,
            "milliseconds": self.exchange.milliseconds,
            "encoding": gsm7.encoding(said),
            "septets": gsm7.units(said),
            "septets_advised": _SCREEN_ADVISED,
        }
        if self.copy is not None:
            body["copy"] = {
                "status": self.copy.status,
                "response": self.copy.response,
                "milliseconds": self.copy.milliseconds,
                "identical": self.copy.response == self.exchange.response,
            }
        return body


class Network:
    """Every open session of the country; safe to share between threads."""

    def __init__(
        self, *, web_url: str, token: str, service_code: str, courier: Courier, pace: Pace
    ) -> None:
        self._url = f"{web_url.rstrip('/')}/ussd/africastalking/"
        self._token = token
        self._service_code = service_code
        self._courier = courier
        self._pace = pace
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def dial(self, *, msisdn: str, dialled: str, duplicate: bool = False) -> Reply:
        """
        Open a session; `*384*1*2#` on `*384#` starts with the answers `1` and `2`.

        Args:
            msisdn: the caller, in E.164.
            dialled: what was typed before the green key.
            duplicate: send each hop twice, as networks at times do.
        """
        inputs = self._inputs(dialled)
        if inputs is None:
            return Reply(None, NETWORK_ERROR, ended=True, error=f"{dialled} is nobody's service")
        session = Session(wire.identifier("ATUid_"), msisdn, self._service_code, inputs, duplicate)
        with self._lock:
            # A handset holds one session, and the memory of this process a bounded number.
            given_up = [each for each in self._sessions.values() if each.msisdn == msisdn]
            if len(self._sessions) >= _SESSIONS_MAX:
                given_up.append(next(iter(self._sessions.values())))
            self._sessions[session.id] = session
            session.turn.acquire()
        for each in given_up:
            self._courier.later(0, partial(self._abandon, each))
        self._courier.later(self._pace.session_life, partial(self._abandon, session))
        try:
            return self._hop(session)
        finally:
            session.turn.release()

    def answer(self, session_id: str, said: str) -> Reply | None:
        """Carry one answer; None when the session is waiting for a screen, and takes none."""
        session = self._find(session_id)
        if session is None:
            return self._gone()
        if not session.turn.acquire(blocking=False):
            return None
        try:
            if session.ended:
                return self._gone()
            session.inputs.append(said)
            return self._hop(session)
        finally:
            session.turn.release()

    def hang_up(self, session_id: str) -> Reply:
        """End a session from the handset; one that has ended stays as it ended."""
        session = self._find(session_id)
        if session is None:
            return self._gone()
        self._abandon(session)
        return Reply(session, session.screen, ended=True)

    def is_talking(self, msisdn: str) -> bool:
        """Whether a number is in a session just now."""
        with self._lock:
            return any(each.msisdn == msisdn for each in self._sessions.values())

    def _gone(self) -> Reply:
        life = f"{self._pace.session_life:g} s"
        return Reply(
            None, "", ended=True, error=f"The session is over; none outlives {life}. Dial again."
        )

    def _find(self, session_id: str) -> Session | None:
        with self._lock:
            return self._sessions.get(session_id)

    def _inputs(self, dialled: str) -> list[str] | None:
        """Tell the answers that a dialled string carries; None when it is not our service code."""
        head = re.escape(self._service_code.removesuffix("#"))
        match = re.fullmatch(rf"{head}((?:\*[^*#]*)*)#", dialled.strip())
        return None if match is None else match[1].split("*")[1:]

    def _hop(self, session: Session) -> Reply:
        session.hops += 1
        exchange = self._ask(session)
        copy = self._ask(session) if session.duplicate else None
        session.last_answer = exchange.response
        if exchange.label:
            session.labels.append(exchange.label)
        error = exchange.error or _fault_of(exchange)
        if error:
            session.screen = NETWORK_ERROR
            self._end(session, "Failed", error)
            return Reply(session, NETWORK_ERROR, True, error, exchange, copy)
        session.screen, lost = gsm7.cut(exchange.response[4:])
        if lost:
            error = "The screen is too long; the handset shows its first 182 septets."
        ended = exchange.response.startswith("END ")
        if ended:
            self._end(session, "Success", "")
        return Reply(session, session.screen, ended, error, exchange, copy)

    def _ask(self, session: Session) -> Exchange:
        """Post the five fields, in the order in which they were captured, on a new connection."""
        form = {
            "phoneNumber": session.msisdn,
            "serviceCode": session.service_code,
            "text": "*".join(session.inputs),
            "sessionId": session.id,
            "networkCode": wire.network(session.msisdn),
        }
        headers = {"User-Agent": "at-ussd-api/1.0"}
        if session.labels:
            headers["at-ussd-hop-metadata"] = session.labels[-1]
        began = time.monotonic()
        status, body, label, error = None, "", "", ""
        try:
            with (
                line() as way,
                way.post(
                    self._url + self._token,
                    data=form,
                    headers=headers,
                    timeout=self._pace.hop_deadline,
                    allow_redirects=False,
                    stream=True,
                ) as answer,
            ):
                status = answer.status_code
                label = answer.headers.get("at-ussd-hop-metadata", "")[:99].replace("|", "")
                body = self._read(answer, began)
        except requests.Timeout:
            error = f"No answer within {self._pace.hop_deadline:g} s."
        except requests.RequestException:
            error = "The service could not be reached."
        taken = round((time.monotonic() - began) * 1000)
        return Exchange("/ussd/africastalking/***", form, status, body, taken, label, error)

    def _read(self, answer: requests.Response, began: float) -> str:
        """Read the body within the deadline, however slowly it drips."""
        body = b""
        for chunk in answer.iter_content(4_096):
            body += chunk
            if time.monotonic() - began > self._pace.hop_deadline:
                raise requests.Timeout
            if len(body) > _BODY_MAX:
                break
        return body[:_BODY_MAX].decode("utf-8", errors="replace")

    def _abandon(self, session: Session) -> None:
        """End a session that still waits for an answer; what is under way is waited for."""
        with session.turn:
            if not session.ended:
                self._end(session, "Incomplete", "")

    def _end(self, session: Session, status: Status, error: str) -> None:
        session.ended = True
        with self._lock:
            self._sessions.pop(session.id, None)
        self._courier.notify(
            {
                "durationInMillis": str(round((time.monotonic() - session.began) * 1000)),
                "phoneNumber": session.msisdn,
                "errorMessage": error,
                "serviceCode": session.service_code,
                "lastAppResponse": session.last_answer,
                "hopsMetadata": "|".join(session.labels),
                "hopsCount": str(session.hops),
                "status": status,
                "sessionId": session.id,
                "cost": "0.00",
                "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
                "networkCode": wire.network(session.msisdn),
                "input": "*".join(session.inputs),
            }
        )


def _fault_of(exchange: Exchange) -> str:
    """Say what is wrong with an answer by the provider's rules; empty when nothing is."""
    if exchange.status != HTTPStatus.OK:
        return f"The service answered {exchange.status}; only 200 keeps a session."
    if not exchange.response.startswith(("CON ", "END ")):
        return "Response should start with a CON or an END."
    return ""

"""
Daraja's gateway: who may come in, how fast, and what the answer looks like when a script spoils it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping

from flask import Response, request

from sandbox import resets
from sandbox.daraja import wire
from sandbox.daraja.contract import Contract
from sandbox.daraja.faults import NONE, Answer, Api, Faults, Script
from sandbox.daraja.fields import Fields
from sandbox.daraja.record import Record
from sandbox.daraja.terms import House
from sandbox.daraja.wire import Ids, Refusal

_TOKENS_MAX = 1_000
_PAGE = (
    "<html><head><title>Request unsuccessful</title></head>"
    "<body>Request unsuccessful. Incapsula incident ID: 443000270023</body></html>"
)

Handler = Callable[[Fields, Script], Mapping[str, object]]

_REFUSED = {
    "spike": Refusal(500, "500.003.02", "Error Occurred: Spike Arrest Violation"),
    "busy": Refusal(500, "500.003.02", "System is busy. Please try again in few minutes."),
    "quota": Refusal(500, "500.003.03", "Error Occurred: Quota Violation"),
    "maintenance": Refusal(
        500, "500.002.1001", "Service is currently under maintenance. Please try again later"
    ),
}


class Gate:
    """Stands in front of every endpoint."""

    def __init__(
        self, contract: Contract, house: House, faults: Faults, record: Record, ids: Ids
    ) -> None:
        self._login = f"{contract.key}:{contract.secret}".encode()
        self._house = house
        self._faults = faults
        self._record = record
        self._ids = ids
        self._lock = threading.Lock()
        self._tokens: dict[str, float] = {}
        self._came: deque[float] = deque()
        self._counted = 0

    def token(self) -> Response:
        """Answer `GET /oauth/v1/generate`."""
        script = self._faults.take("oauth", None)
        return self._recorded("oauth", {}, script, lambda: self._spoilt(script, self._token))

    def guard(self, api: Api, first: str, handler: Handler) -> Response:
        """
        Let one business request in, or say why not.

        Args:
            api: what it is about, as scripts name it.
            first: the field that is named when the body cannot be read at all.
            handler: what carries it out.

        """
        body: dict[str, object] = {}
        script = NONE

        def answer() -> Response:
            nonlocal script
            try:
                self._check_pace()
                bearer = self._check_bearer()
                body.update(_read(first))
            except Refusal as refusal:
                return self._refused(refusal)
            script = self._faults.take(api, _number(body))
            if script.answer is not None and script.answer.kind == "token-expired":
                self._forget(bearer)
            fields = Fields(body, https_only=self._house.terms.https_only)

            def carry_out() -> Response:
                return _json(200, handler(fields, script))

            return self._spoilt(script, carry_out)

        return self._recorded(api, body, lambda: script, answer)

    def unknown(self) -> Response:
        """Answer for an address that is nobody's."""
        return self._refused(Refusal(404, "404.001.01", "Resource not found"))

    def wrong_method(self) -> Response:
        """Answer a method that an address does not take."""
        return self._refused(Refusal(405, "405.001", "Method Not Allowed"))

    def expire_tokens(self) -> None:
        """Forget every token, as a restart of Safaricom's would."""
        with self._lock:
            self._tokens.clear()

    def _token(self) -> Response:
        terms = self._house.terms
        if request.args.get("grant_type") != "client_credentials":
            return self._refused(Refusal(400, "400.008.02", "Invalid grant type passed"))
        if not self._authentic():
            if terms.wrong_login == "empty":
                return Response("", 400, content_type="text/plain")
            return self._refused(Refusal(400, "400.008.01", "Invalid authentication type passed"))
        with self._lock:
            if terms.one_token or len(self._tokens) >= _TOKENS_MAX:
                self._tokens.clear()
            token = self._ids.token()
            self._tokens[token] = time.monotonic() + terms.expires_in
        return _json(200, {"access_token": token, "expires_in": str(terms.expires_in)})

    def _authentic(self) -> bool:
        scheme, _, words = request.headers.get("Authorization", "").partition(" ")
        try:
            said = base64.b64decode(words, validate=True)
        except (binascii.Error, ValueError):
            return False
        return scheme == "Basic" and hmac.compare_digest(said, self._login)

    def _check_pace(self) -> None:
        terms = self._house.terms
        with self._lock:
            self._counted += 1
            if terms.quota is not None and self._counted > terms.quota:
                raise _REFUSED["quota"]
            if terms.per_second is None:
                self._came.clear()
                return
            now = time.monotonic()
            while self._came and self._came[0] <= now - 1:
                self._came.popleft()
            if len(self._came) >= terms.per_second:
                raise _REFUSED["spike"]
            self._came.append(now)

    def count_anew(self) -> None:
        """Begin a new quota."""
        with self._lock:
            self._counted = 0
            self._came.clear()

    def _check_bearer(self) -> str:
        header = request.headers.get("Authorization", "")
        if header and not header.startswith("Bearer "):
            raise Refusal(404, "404.001.04", "Invalid Authentication Header")
        token = header.removeprefix("Bearer ")
        with self._lock:
            if self._tokens.get(token, 0) > time.monotonic():
                return token
        raise self._no_token()

    def _no_token(self) -> Refusal:
        return Refusal(self._house.terms.bearer_status, "404.001.03", "Invalid Access Token")

    def _forget(self, token: str) -> None:
        with self._lock:
            self._tokens.pop(token, None)

    def _refused(self, refusal: Refusal) -> Response:
        with self._lock:
            said = wire.envelope(self._ids.request(), refusal)
        return _json(refusal.status, said)

    def _spoilt(self, script: Script, carry_out: Callable[[], Response]) -> Response:
        """Carry it out or not, and answer as the script wants."""

        def usual() -> Response:
            try:
                return carry_out()
            except Refusal as refusal:
                return self._refused(refusal)

        fault = script.answer
        if fault is None:
            return usual()
        if fault.kind == "stall":
            if fault.moved:
                reply = usual()
                time.sleep(fault.seconds)
                return reply
            time.sleep(fault.seconds)
            return usual()
        done = usual() if fault.carried_out else None
        if fault.kind == "token-expired":
            return self._refused(self._no_token())
        if fault.kind in _REFUSED:
            return self._refused(_REFUSED[fault.kind])
        return self._mangled(fault, done)

    def _mangled(self, fault: Answer, done: Response | None) -> Response:
        whole = b'{"ResponseCode": "0"}' if done is None else done.get_data()
        plain = {"http": fault.body, "html": _PAGE, "empty": ""}
        kinds = {"http": "text/plain", "html": "text/html", "empty": "application/json"}
        if fault.kind in plain:
            status = fault.status or (503 if fault.kind == "html" else 500)
            return Response(plain[fault.kind], status, mimetype=kinds[fault.kind])
        match fault.kind:
            case "reset":
                return resets.reset()
            case "envelope":
                refusal = Refusal(fault.status or 500, fault.code, fault.message)
                return self._refused(refusal)
            case "response-code":
                said = {"ResponseCode": fault.code, "ResponseDescription": fault.message}
                return _json(200, {**json.loads(whole), **said})
            case "malformed":
                whole = whole[: len(whole) // 2]
            case "slow-body":
                dripping = _drip(whole, fault.seconds)
                return Response(dripping, 200, content_type="application/json")
        return Response(
            whole, 200 if done is None else done.status_code, content_type="application/json"
        )

    def _recorded(
        self,
        api: str,
        body: Mapping[str, object],
        script: Script | Callable[[], Script],
        answer: Callable[[], Response],
    ) -> Response:
        reply = answer()
        befell = script if isinstance(script, Script) else script()
        is_whole = not reply.is_streamed
        self._record.asked(
            api=api,
            path=request.path.removeprefix("/daraja"),
            body=dict(body),
            status=reply.status_code if is_whole or befell.answer is None else 0,
            answer=reply.get_data(as_text=True) if is_whole and api != "oauth" else "",
            spoilt=befell.model_dump(mode="json", exclude_defaults=True),
        )
        return reply


def _read(first: str) -> dict[str, object]:
    if request.mimetype != "application/json":
        raise wire.invalid(first)
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise Refusal(400, "400.002.05", "Invalid Request Payload")
    return body


def _number(body: Mapping[str, object]) -> str | None:
    """The phone that a request is about."""
    for name in ("PhoneNumber", "PartyB", "Msisdn", "customerNumber"):
        if name in body and str(body[name]).startswith("254"):
            return str(body[name])
    return None


def _json(status: int, body: Mapping[str, object]) -> Response:
    return Response(wire.dumps(body), status, content_type="application/json")


def _drip(whole: bytes, seconds: float) -> Iterator[bytes]:
    """Give a body a few bytes at a time."""
    pieces = [whole[start : start + 20] for start in range(0, len(whole), 20)] or [b""]
    for piece in pieces:
        time.sleep(seconds / len(pieces))
        yield piece

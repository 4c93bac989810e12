"""The SMS API: `POST /version1/messaging` as Africa's Talking answers it, faults included."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from flask import Response, request

from sandbox import resets
from sandbox.africastalking import gsm7, wire
from sandbox.africastalking.account import Account
from sandbox.africastalking.courier import Courier, Pace
from sandbox.africastalking.faults import (
    Answer,
    Empty,
    Fault,
    Faults,
    Html,
    Http,
    PerRecipient,
    Recipients,
    Report,
    Reset,
    Stall,
)
from sandbox.africastalking.messages import Messages

DEFAULT_SENDER = "AFRICASTKNG"
_RECIPIENTS_MAX = 1_000
_REFUSED_LOGIN = "The supplied authentication is invalid"


@dataclass(frozen=True)
class Credentials:
    """Who may send: one account, its key, and the sender ids it owns."""

    username: str
    api_key: str
    senders: frozenset[str]


@dataclass(frozen=True)
class SmsApi:
    """What the API knows and reaches; one for the whole country."""

    credentials: Credentials
    messages: Messages
    faults: Faults
    courier: Courier
    pace: Pace
    account: Account

    def authentic(self, username: str) -> bool:
        """Whether the request carries the account's own key."""
        key = request.headers.get("apiKey", "")
        return username == self.credentials.username and hmac.compare_digest(
            key.encode(), self.credentials.api_key.encode()
        )

    def send(self) -> Response:
        """Answer one send (form-encoded), as the provider's reference has it."""
        form = request.form
        for field in ("username", "to", "message"):
            if not form.get(field, ""):
                return _text(400, f"Request is missing required form field '{field}'")
        if not self.authentic(form["username"]):
            return _text(401, _REFUSED_LOGIN)
        numbers = [each.strip() for each in form["to"].split(",") if each.strip()]
        if not 1 <= len(numbers) <= _RECIPIENTS_MAX:
            return _text(400, f"'to' takes 1 to {_RECIPIENTS_MAX} numbers")
        sender = form.get("from") or DEFAULT_SENDER
        is_refused = self.account.terms.sender_refused and sender != DEFAULT_SENDER
        if is_refused or sender not in self.credentials.senders:
            return _json(wire.data("InvalidSenderId"))
        if self.account.is_too_fast(len(numbers)):
            throttled = _text(429, "Too many requests")
            if (seconds := self.account.terms.retry_after) is not None:
                throttled.headers["Retry-After"] = str(seconds)
            return throttled
        texts = {each: self.account.words(each, form["message"]) for each in numbers}
        recipients = [wire.judge(each, gsm7.parts(texts[each])) for each in numbers]
        return self._answer(self.faults.take(), recipients, sender, texts)

    def _answer(
        self,
        fault: Fault,
        recipients: Sequence[wire.Recipient],
        sender: str,
        texts: Mapping[str, str],
    ) -> Response:
        if isinstance(fault, PerRecipient):
            recipients = [replace(each, code=int(fault.code)) for each in recipients]
        if isinstance(fault, Recipients):
            spoilt = {number: int(code) for number, code in fault.codes.items()}
            recipients = [
                replace(each, code=spoilt.get(each.number, each.code)) for each in recipients
            ]
        if (refusal := _before(fault)) is not None:
            return refusal
        recipients = self.account.charge(recipients)
        self._accept(fault, recipients, sender, texts)
        told = recipients
        if isinstance(fault, Recipients):
            told = [each for each in recipients if each.number not in fault.left_out]
        return _after(fault, wire.answer(told, tells_parts=self.account.terms.tells_parts))

    def _accept(
        self,
        fault: Fault,
        recipients: Sequence[wire.Recipient],
        sender: str,
        texts: Mapping[str, str],
    ) -> None:
        """Let the message arrive, and its reports follow."""
        for recipient in recipients:
            if not recipient.accepted:
                continue
            if fault.arrives:
                self.messages.add(
                    message_id=recipient.message_id,
                    to=recipient.number,
                    sender=sender,
                    text=texts[recipient.number],
                )
            for report in fault.reports(self.pace.report_after):
                form = _report(recipient, report)
                if report.after is None:
                    self.courier.attempt("delivery", form)
                else:
                    self.courier.deliver("delivery", form, after=report.after)

    def balance(self) -> Response:
        """Answer `GET /version1/user`: the credit left."""
        if not self.authentic(request.args.get("username", "")):
            return _text(401, _REFUSED_LOGIN)
        return _json({"userData": {"balance": f"KES {self.account.balance:.2f}"}}, 200)


def _before(fault: Fault) -> Response | None:
    """Let a fault act before the message is accepted; what it answers is all the sender gets."""
    match fault:
        case Http(kind="http"):
            return _text(fault.status, fault.body)
        case Html():
            return _text(fault.status, fault.body, "text/html")
        case Reset(kind="reset"):
            return resets.reset()
        case Empty():
            return _json(wire.data(fault.message))
        case Stall(kind="stall"):
            time.sleep(fault.seconds)
    return None


def _after(fault: Fault, body: dict[str, object]) -> Response:
    """Answer a send whose message is accepted, as well or badly as the fault wants."""
    whole = json.dumps(body)
    match fault:
        case Http():
            return _text(fault.status, fault.body)
        case Reset():
            return resets.reset()
        case Answer(kind="malformed"):
            return Response(whole[: len(whole) // 2], 201, content_type="application/json")
        case Answer(kind="charset"):
            return Response(whole, 201, content_type="application/json; charset=utf-8")
        case Stall(kind="accept-stall"):
            time.sleep(fault.seconds)
    return _json(body)


def _report(recipient: wire.Recipient, report: Report) -> Mapping[str, str]:
    form = {
        "id": recipient.message_id,
        "status": report.status,
        "phoneNumber": recipient.number,
        "networkCode": wire.network(recipient.number),
        "retryCount": "0",
    }
    return form if report.reason is None else {**form, "failureReason": report.reason}


def _json(body: dict[str, object], status: int = 201) -> Response:
    """Answer in JSON where it is asked for, and in XML otherwise, as the provider does."""
    if "application/json" in request.headers.get("Accept", ""):
        return Response(json.dumps(body), status, content_type="application/json")
    return Response(wire.xml(body), status, content_type="application/xml")


def _text(status: int, body: str, mimetype: str = "text/plain") -> Response:
    return Response(body, status, mimetype=mimetype)

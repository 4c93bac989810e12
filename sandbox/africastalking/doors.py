"""The fake provider's addresses: its API, what its phones do, and what tests tell it to do."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import BoundedSemaphore

from flask import Blueprint, Response, jsonify, request
from pydantic import ValidationError
from werkzeug.exceptions import BadRequest, HTTPException

from sandbox import told
from sandbox.africastalking import faults, wire
from sandbox.africastalking.account import Account, Terms
from sandbox.africastalking.courier import Courier, Pace
from sandbox.africastalking.messages import Messages
from sandbox.africastalking.sms import SmsApi
from sandbox.africastalking.ussd import Network

_STREAMS_MAX = 12
"""Streams open at once; each holds a thread of the server, and the page can poll instead."""
_ANSWER_MAX = 182
_TEXT_MAX = 1_600


def create_blueprint(
    *, api: SmsApi, network: Network, messages: Messages, courier: Courier, pace: Pace
) -> Blueprint:
    """Hang the fake provider's doors on a blueprint."""
    doors = Blueprint("africastalking", __name__, url_prefix="/africastalking")
    doors.add_url_rule("/version1/messaging", "send", api.send, methods=["POST"])
    doors.add_url_rule("/version1/user", "balance", api.balance, methods=["GET"])
    doors.register_error_handler(HTTPException, told.problem)
    _hang_messages(doors, messages, pace)
    _hang_faults(doors, api.faults)
    _hang_account(doors, api.account)
    _hang_phones(doors, network, courier, api)
    return doors


def _hang_messages(doors: Blueprint, messages: Messages, pace: Pace) -> None:
    streams = BoundedSemaphore(_STREAMS_MAX)

    @doors.get("/messages")
    def received() -> Response:
        raw = request.args.get("to")
        to = None if raw is None else _number(raw, "to")
        return jsonify([message.shown() for message in messages.received(to)])

    @doors.delete("/messages")
    def empty() -> tuple[str, int]:
        messages.empty()
        return "", 204

    @doors.get("/messages/stream")
    def stream() -> Response:
        if not streams.acquire(blocking=False):
            return Response("Too many streams; poll /africastalking/messages instead.", 503)
        last_id = request.headers.get("Last-Event-ID", "")

        def events() -> Iterator[str]:
            for kind, message in messages.follow(
                last_id=last_id, ping_seconds=pace.stream_ping, life_seconds=pace.stream_life
            ):
                if message is not None:
                    yield f"id: {message.id}\ndata: {json.dumps(message.shown())}\n\n"
                elif kind == "emptied":
                    yield "event: emptied\ndata: {}\n\n"
                else:
                    yield ": ping\n\n"

        answer = Response(events(), mimetype="text/event-stream")
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["X-Accel-Buffering"] = "no"
        answer.call_on_close(streams.release)
        return answer


def _hang_faults(doors: Blueprint, script: faults.Faults) -> None:
    @doors.get("/faults")
    def left() -> Response:
        return jsonify(script.left())

    @doors.post("/faults")
    def add() -> tuple[Response, int]:
        try:
            fault = faults.read(told.body())
        except ValidationError as error:
            raise BadRequest(f"No fault this provider knows: {told.said(error)}") from error
        if not script.add(fault):
            raise BadRequest("Too many faults are waiting; DELETE /africastalking/faults first.")
        return jsonify(script.left()), 201

    @doors.delete("/faults")
    def clear() -> tuple[str, int]:
        script.clear()
        return "", 204


def _hang_account(doors: Blueprint, account: Account) -> None:
    @doors.get("/account")
    def shown() -> Response:
        return jsonify(account.terms.model_dump(mode="json"))

    @doors.put("/account")
    def change() -> Response:
        try:
            account.change(Terms.model_validate(told.body()))
        except ValidationError as error:
            raise BadRequest(f"No account is treated like that: {told.said(error)}") from error
        return jsonify(account.terms.model_dump(mode="json"))

    @doors.delete("/account")
    def usual() -> tuple[str, int]:
        account.change(Terms())
        return "", 204


def _hang_phones(doors: Blueprint, network: Network, courier: Courier, api: SmsApi) -> None:
    @doors.post("/ussd")
    def ussd() -> Response | tuple[Response, int]:
        body = told.body()
        if "dial" in body:
            reply = network.dial(
                msisdn=_number(told.string(body, "phone", 20), "phone"),
                dialled=told.string(body, "dial", _ANSWER_MAX),
                duplicate=body.get("duplicate") is True,
            )
            return jsonify(reply.shown())
        session = told.string(body, "session", 60)
        if body.get("hangup") is True:
            return jsonify(network.hang_up(session).shown())
        answered = network.answer(session, told.string(body, "answer", _ANSWER_MAX))
        if answered is None:
            raise _Busy("The session is waiting for its screen; answer when it is there.")
        return jsonify(answered.shown())

    @doors.post("/inbound")
    def inbound() -> tuple[Response, int]:
        body = told.body()
        sender = _number(told.string(body, "from", 20), "from")
        form = {
            "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "from": sender,
            "id": str(uuid.uuid4()),
            "linkId": str(uuid.uuid4()),
            "text": told.string(body, "text", _TEXT_MAX),
            "to": told.string(body, "to", 20) if "to" in body else min(api.credentials.senders),
            "cost": "KES 0.0000",
            "networkCode": wire.network(sender),
        }
        courier.deliver("inbound", form)
        return jsonify(form), 202


class _Busy(HTTPException):
    code = 409


def _number(raw: str, name: str) -> str:
    number = wire.number(raw)
    if number is None:
        raise BadRequest(f"'{name}' must be a phone number, such as 0712000001 or +254712000001.")
    return number

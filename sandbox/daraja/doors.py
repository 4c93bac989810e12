"""
Safaricom's addresses below `/daraja`: the API, and what its phones do.

The API's base address is `http://127.0.0.1:SANDBOX_PORT/daraja`, then Safaricom's own paths:

| path                                                               | script's `on` |
|--------------------------------------------------------------------|---------------|
| `GET /oauth/v1/generate?grant_type=client_credentials`             | `oauth`       |
| `POST /mpesa/stkpush/v1/processrequest`                            | `stk`         |
| `POST /mpesa/stkpushquery/v1/query`                                | `query`       |
| `POST /mpesa/c2b/v1/registerurl`, `/mpesa/c2b/v2/…`                | `register`    |
| `POST /mpesa/c2b/v1/simulate`, `/mpesa/c2b/v2/simulate`            | `simulate`    |
| `POST /mpesa/transactionstatus/v1/query`                           | `status`      |
| `POST /mpesa/accountbalance/v1/query`                              | `balance`     |
| `POST /mpesa/reversal/v1/request`                                  | `reversal`    |
| `POST /mpesa/b2b/v1/paymentrequest`                                | `b2b`         |
| `POST /mpesa/qrcode/v1/generate`                                   | `qr`          |
| `POST /pulltransactions/v1/register`, `/pulltransactions/v1/query` | `pull`        |
| `POST /imsi/v1/checkATI`, `/imsi/v2/checkATI`                      | `imsi`        |
| `POST /mpesa/b2c/v1/paymentrequest`, `/mpesa/b2c/v3/…`             | `b2c`         |

Its phones (numbers in any usual form):

| path                         | does                                                       |
|------------------------------|------------------------------------------------------------|
| `GET /prompts?to=0712000001` | lists the prompts that wait on phones, of one or of all    |
| `GET /prompts/stream`        | the same as server-sent events, each time that they change |
| `POST /prompts/<id>`         | answers one: `{"pin": "1234"}`, `{"cancel": true}`, or     |
|                              | `{"ignore": true}`; gives the result code                  |
| `POST /pay`                  | pays the paybill: `{"from", "account", "amount"}`, and     |
|                              | `"shortcode"` if it is another one                         |

`sandbox/daraja/control.py` lists the doors for tests, below `/daraja/control`: another prefix, and
no other port, as everything of the sandbox listens on one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from threading import BoundedSemaphore

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import BadRequest, Gone, HTTPException, NotFound

from sandbox.daraja import control
from sandbox.daraja.faults import Api
from sandbox.daraja.gate import Handler
from sandbox.daraja.prompts import TOLD, Prompts
from sandbox.daraja.safaricom import Safaricom
from sandbox.daraja.wire import Refusal
from sandbox.daraja.words import number
from sandbox.told import body, problem, string

_STREAMS_MAX = 8
"""Streams open at once; each holds a thread of the server, and the page can poll instead."""
_PING_SECONDS = 15.0
_STREAM_NEWS_MAX = 1_000
"""After so many events a stream ends, and its reader resumes."""
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def create_blueprint(safaricom: Safaricom) -> Blueprint:
    """Hang the API's and the phones' doors on a blueprint."""
    doors = Blueprint("daraja", __name__, url_prefix="/daraja")
    _hang_api(doors, safaricom)
    _hang_phones(doors, safaricom)
    _hang_payments(doors, safaricom)
    _hang_stream(doors, safaricom.prompts)
    control.hang(doors, safaricom)
    doors.register_error_handler(HTTPException, problem)
    return doors


def _hang_api(doors: Blueprint, safaricom: Safaricom) -> None:
    gate = safaricom.gate

    def token() -> Response:
        return gate.token() if request.method == "GET" else gate.wrong_method()

    doors.add_url_rule("/oauth/v1/generate", "token", token, methods=_METHODS)
    for path, api, first, handler in _endpoints(safaricom):

        def view(api: Api = api, first: str = first, handler: Handler = handler) -> Response:
            if request.method != "POST":
                return gate.wrong_method()
            return gate.guard(api, first, handler)

        doors.add_url_rule(path, path.replace("/", "_"), view, methods=_METHODS)

    @doors.route("/<any(oauth, mpesa, pulltransactions, imsi):_>/<path:__>", methods=_METHODS)
    def nowhere(**_: str) -> Response:
        return gate.unknown()


def _endpoints(safaricom: Safaricom) -> Iterator[tuple[str, Api, str, Handler]]:
    """List the paths, what each is about, the field named first, and who carries it out."""
    prompts, paybill, payouts = safaricom.prompts, safaricom.paybill, safaricom.payouts
    yield "/mpesa/stkpush/v1/processrequest", "stk", "BusinessShortCode", prompts.push
    yield "/mpesa/stkpushquery/v1/query", "query", "BusinessShortCode", prompts.query
    for version in ("v1", "v2"):
        handler = partial(paybill.register, version=version)
        yield f"/mpesa/c2b/{version}/registerurl", "register", "ShortCode", handler
        yield f"/mpesa/c2b/{version}/simulate", "simulate", "ShortCode", paybill.simulate
    for version in ("v1", "v3"):
        handler = partial(payouts.request, version=version)
        yield f"/mpesa/b2c/{version}/paymentrequest", "b2c", "InitiatorName", handler
    questions, at_once = safaricom.questions, safaricom.at_once
    yield "/mpesa/transactionstatus/v1/query", "status", "Initiator", questions.status
    yield "/mpesa/accountbalance/v1/query", "balance", "Initiator", questions.balance
    yield "/mpesa/reversal/v1/request", "reversal", "Initiator", questions.reverse
    yield "/mpesa/b2b/v1/paymentrequest", "b2b", "Initiator", safaricom.transfers.request
    yield "/mpesa/qrcode/v1/generate", "qr", "MerchantName", at_once.picture
    yield "/pulltransactions/v1/register", "pull", "ShortCode", at_once.register_pull
    yield "/pulltransactions/v1/query", "pull", "ShortCode", at_once.pull
    for version in ("v1", "v2"):
        yield f"/imsi/{version}/checkATI", "imsi", "customerNumber", at_once.sim_change


def _hang_phones(doors: Blueprint, safaricom: Safaricom) -> None:
    prompts = safaricom.prompts

    @doors.get("/prompts")
    def waiting() -> Response:
        raw = request.args.get("to")
        to = None if raw is None else number(raw, "to")
        return jsonify([each.shown() for each in prompts.open(to)])

    @doors.post("/prompts/<checkout>")
    def answer(checkout: str) -> Response:
        said = body()
        prompt = prompts.find(checkout)
        if prompt is None:
            raise NotFound("There is no such prompt.")
        if prompt.ended:
            raise Gone(f"This prompt has ended with {prompt.code}.")
        if said.get("cancel") is True:
            code = prompts.end(prompt, "1032")
        elif said.get("ignore") is True:
            code = prompts.end(prompt, "1037")
        else:
            code = prompts.accept(prompt, string(said, "pin", 20))
        return jsonify({"result": code, "words": TOLD.get(code, "")})


def _hang_payments(doors: Blueprint, safaricom: Safaricom) -> None:
    @doors.post("/pay")
    def pay() -> tuple[Response, int]:
        said = body()
        shortcode = str(said.get("shortcode", safaricom.contract.shortcode))
        if shortcode not in safaricom.book.organisations:
            raise BadRequest(f"There is no shortcode {shortcode}.")
        try:
            paid = safaricom.paybill.pay(
                number(string(said, "from", 20), "from"),
                shortcode,
                string(said, "account", 40),
                str(said.get("amount", "")),
            )
        except Refusal as refusal:
            raise BadRequest(str(refusal)) from refusal
        return jsonify({"receipt": paid.receipt}), 202


def _hang_stream(doors: Blueprint, prompts: Prompts) -> None:
    streams = BoundedSemaphore(_STREAMS_MAX)

    @doors.get("/prompts/stream")
    def stream() -> Response:
        if not streams.acquire(blocking=False):
            return Response("Too many streams; poll /daraja/prompts instead.", 503)

        def events() -> Iterator[str]:
            seen = -1
            for _ in range(_STREAM_NEWS_MAX):
                changes, waiting = prompts.follow(seen, seconds=_PING_SECONDS)
                if changes == seen:
                    yield ": ping\n\n"
                else:
                    yield f"data: {json.dumps([each.shown() for each in waiting])}\n\n"
                seen = changes

        answer = Response(events(), mimetype="text/event-stream")
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["X-Accel-Buffering"] = "no"
        answer.call_on_close(streams.release)
        return answer

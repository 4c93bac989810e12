"""
The doors that Safaricom calls: `POST /callbacks/d/<door token>/…`, each to its own secret address.

What comes goes into the inbox as it came and is acknowledged; a worker understands it. Nothing is
signed, so who knows no secret finds nothing here. The addresses have none of the words that
Safaricom refuses in them (docs/mpesa.md).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, Literal

import structlog
from flask import Blueprint, Response, abort, jsonify, request

from core import deposits, inbox, inquiries, paybill, withdrawals
from core.db import Databases, allow, transact
from core.inbox import Kind
from core.paybill import Refusal
from gateway import daraja
from gateway.daraja import NotOurWire

BODY_BYTES_MAX: Final = 64 * 1024

_PROVIDER: Final = "mpesa"
# Safaricom gives us eight seconds, and somebody stands before a till.
_VALIDATION_SECONDS_MAX: Final = 1.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Callers:
    """
    Who may call here.

    Args:
        token: The secret word in all addresses.
        addresses: Where Safaricom calls from.
        mode: Whether others are turned away, only logged, or not looked at.
        shortcode: Whose payments we are asked about.
        accepts_unsure: What to say to a payment about which we cannot tell.
    """

    token: str
    addresses: frozenset[str]
    mode: Literal["enforce", "log", "off"]
    shortcode: str
    accepts_unsure: bool

    def __repr__(self) -> str:
        return "Callers(…)"


# Whether somebody waits for what is told to an address, by the hash of its secret.
_KNOWN: Final[Mapping[str, Callable[..., object]]] = {
    "stk": deposits.by_token,
    "b2c": withdrawals.by_token,
    "status": inquiries.by_token,
    "balance": inquiries.by_token,
    "reversal": inquiries.by_token,
}


_CODES: Final[Mapping[Refusal, str]] = {
    Refusal.UNKNOWN_ACCOUNT: daraja.BAD_ACCOUNT,
    Refusal.WRONG_AMOUNT: daraja.BAD_AMOUNT,
    Refusal.NOT_RECEIVABLE: daraja.OTHER,
}


def door(databases: Databases, clock: Callable[[], datetime], *, callers: Callers) -> Blueprint:
    """
    Hang the doors. Whatever is said to a known address is acknowledged, also when it is repeated.

    That includes what nobody could understand: its repeat would be no better.
    """
    door = Blueprint("callbacks", __name__, url_prefix="/callbacks/d/<given>")
    keep, hashed = partial(_keep, databases, clock), partial(_hashed, databases)

    @door.url_value_preprocessor
    def only_safaricom(_endpoint: str | None, values: dict[str, str] | None) -> None:
        given = (values or {}).pop("given", "")
        if not hmac.compare_digest(given.encode(), callers.token.encode()):
            abort(404)
        _check_source(callers)
        request.max_content_length = BODY_BYTES_MAX

    @door.post("/stk/<token>")
    def prompt_ended(token: str) -> Response:
        return keep(Kind.PROMPT_ENDED, hashed("stk", token))

    @door.post("/b2c/<token>/<any(result, timeout):what>")
    def payout(token: str, what: str) -> Response:
        kind = Kind.PAYOUT_RESULT if what == "result" else Kind.PAYOUT_TIMEOUT
        return keep(kind, hashed("b2c", token))

    @door.post("/<any(status, balance, reversal):of>/<token>/<any(result, timeout):what>")
    def inquiry(of: str, token: str, what: str) -> Response:
        kind = Kind.INQUIRY_RESULT if what == "result" else Kind.INQUIRY_TIMEOUT
        return keep(kind, hashed(of, token))

    @door.post("/c2b/confirmation")
    def confirmation() -> Response:
        return keep(Kind.PAYMENT_RECEIVED)

    @door.post("/c2b/validation")
    def validation() -> Response:
        code = _refusal(databases, callers, request.get_data(), now=clock())
        return jsonify(daraja.verdict(code))

    return door


def _keep(
    databases: Databases,
    clock: Callable[[], datetime],
    kind: Kind,
    token_hash: bytes | None = None,
) -> Response:
    body = request.get_data()
    # Of all that came: the same said twice is one letter, and something else is another.
    key = hashlib.sha256((token_hash or b"") + body).hexdigest()
    letter = partial(
        inbox.receive,
        provider=_PROVIDER,
        kind=kind,
        key=key,
        body=body,
        token_hash=token_hash,
        origin=request.remote_addr,
        now=clock(),
    )
    transact(databases, letter)
    return jsonify(daraja.ACCEPTED)


def _hashed(databases: Databases, of: str, token: str) -> bytes:
    """Hash the secret of an address that somebody waits for; nothing is here for others."""
    digest = hashlib.sha256(token.encode()).digest()
    with databases() as session:
        is_known = _KNOWN[of](session, token_hash=digest) is not None
    if not is_known:
        log.warning("callback.unknown_token", of=of)
        abort(404)
    return digest


def _check_source(callers: Callers) -> None:
    # Behind proxies of ours this is whom they say it is from (KABAMBE_API__PROXIES).
    if callers.mode == "off" or request.remote_addr in callers.addresses:
        return
    log.error("callback.source_not_listed", mode=callers.mode)
    if callers.mode == "enforce":
        abort(404)


def _refusal(databases: Databases, callers: Callers, body: bytes, *, now: datetime) -> str | None:
    """Say by which code a payment is refused, in time whatever happens; None lets it go on."""
    allow(_VALIDATION_SECONDS_MAX)
    try:
        asked = daraja.proposed(body)
    except NotOurWire:
        log.warning("callback.validation_not_understood")
        return daraja.OTHER
    if asked.shortcode != callers.shortcode:
        return daraja.BAD_SHORTCODE
    if asked.amount is None:
        return daraja.BAD_AMOUNT
    try:
        with databases() as session:
            refusal = paybill.validate(session, account=asked.account, amount=asked.amount, now=now)
    except Exception:
        # Whatever it is, Safaricom must be answered: nothing at all is an answer too, of theirs.
        log.exception("callback.validation_unsure", accepted=callers.accepts_unsure)
        return None if callers.accepts_unsure else daraja.OTHER
    return None if refusal is None else _CODES[refusal]

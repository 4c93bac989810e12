"""Paystack's API: `https://api.paystack.co` is `/paystack` here."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from functools import wraps

from flask import Blueprint, Response, request

from sandbox.paystack import wire
from sandbox.rails.answers import answered, said
from sandbox.rails.book import Book, Transfer
from sandbox.rails.doors import hang_control, hang_page
from sandbox.rails.faults import Call, Faults
from sandbox.rails.rail import Rail
from sandbox.rails.webhooks import Pace, Webhooks

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def create_blueprint(*, web_url: str, secret_key: str, pace: Pace) -> Blueprint:
    """Hang the fake Paystack: its API, its page, and what tests tell it."""
    webhooks = Webhooks(
        "paystack",
        f"{web_url.rstrip('/')}/callbacks/paystack",
        lambda body: wire.signature(secret_key, body),
        pace,
    )
    rail = Rail("paystack", Book(), Faults(), webhooks, wire.Dialect())
    doors = Blueprint("paystack", __name__, url_prefix="/paystack")
    hang_control(doors, rail)
    hang_page(doors, rail, title="Paystack")
    _Api(rail, secret_key).hang(doors)
    doors.record(lambda state: state.app.extensions.setdefault("rails", []).append(webhooks))
    return doors


class _Api:
    def __init__(self, rail: Rail, secret_key: str) -> None:
        self._rail = rail
        self._key = secret_key
        self._recipients: dict[str, dict[str, str]] = {}

    def hang(self, doors: Blueprint) -> None:
        rules: tuple[tuple[str, str, Call, Callable[..., Response]], ...] = (
            ("POST", "/transaction/initialize", "initialise", self._initialise),
            ("GET", "/transaction/verify/<reference>", "verify", self._verify),
            ("POST", "/transferrecipient", "recipient", self._recipient),
            ("POST", "/transfer", "transfer", self._transfer),
            ("GET", "/transfer/verify/<reference>", "verify-transfer", self._verify_transfer),
        )
        for method, path, call, act in rules:
            doors.add_url_rule(path, f"api-{call}", self._guarded(call, act), methods=[method])

    def _guarded(self, call: Call, act: Callable[..., Response]) -> Callable[..., Response]:
        @wraps(act)
        def door(**named: str) -> Response:
            given = request.headers.get("Authorization", "")
            if not given.startswith("Bearer "):
                return _refusal(401, "Format is Authorization Bearer [secret key]")
            if not hmac.compare_digest(given.encode(), f"Bearer {self._key}".encode()):
                return _refusal(401, "Invalid key")
            # A transfer's script says how it ends, too, so it is taken where that is known.
            if call == "transfer":
                return act()
            return answered(self._rail.faults.take(call), lambda: act(**named), _refusal)

        return door

    def _initialise(self) -> Response:
        body = _body()
        amount, currency = _amount(body.get("amount")), body.get("currency", "NGN")
        email, reference = body.get("email"), body.get("reference") or secrets.token_hex(5)
        if not isinstance(email, str) or not _EMAIL.fullmatch(email):
            return _refusal(400, "Invalid Email Address Passed")
        if amount is None:
            return _refusal(400, "Invalid Amount Sent")
        if currency not in wire.CURRENCIES:
            return _refusal(403, "Currency not supported by merchant")
        if not isinstance(reference, str) or not wire.TRANSACTION_REFERENCE.fullmatch(reference):
            return _refusal(400, "Invalid character in transaction reference")
        charge = self._rail.book.open_charge(
            reference=reference,
            amount=amount,
            currency=str(currency),
            email=email,
            return_url=str(body.get("callback_url") or ""),
        )
        if charge is None:
            return _refusal(400, "Duplicate Transaction Reference")
        url = f"{request.host_url.rstrip('/')}/paystack/checkout/{charge.access}"
        data = {
            "authorization_url": url,
            "access_code": charge.access,
            "reference": charge.reference,
        }
        return _done("Authorization URL created", data)

    def _verify(self, reference: str) -> Response:
        charge = self._rail.book.charges.get(reference)
        if charge is None:
            return _refusal(400, "Transaction reference not found.")
        return _done("Verification successful", wire.transaction(charge, domain="test"))

    def _recipient(self) -> Response:
        body = _body()
        for name in ("type", "name", "account_number", "bank_code"):
            if not isinstance(body.get(name), str) or not body[name]:
                return _refusal(400, f"{name} is required")
        if not str(body["account_number"]).isdecimal():
            return _refusal(400, "Account number should be numeric")
        if body["bank_code"] == "000":
            return _refusal(400, "Unknown bank code")
        told = {name: str(value) for name, value in body.items()}
        words = "".join(told[name] for name in ("type", "account_number", "bank_code"))
        code = "RCP_" + re.sub(r"[^0-9a-z]", "", words.lower())
        self._recipients[code] = told | {"recipient": code}
        return _done("Transfer recipient created successfully", {"recipient_code": code}, 201)

    def _transfer(self) -> Response:
        script = self._rail.faults.take("transfer")

        def act() -> Response:
            made = self._order()
            if isinstance(made, Response):
                return made
            self._rail.begin(made, script)
            now = self._rail.book.transfers[made.reference]
            words = "Transfer requires OTP to continue" if now.status == "otp" else "queued"
            return _done(f"Transfer has been {words}", wire.transfer(now, domain="test"))

        return answered(script, act, _refusal)

    def _order(self) -> Transfer | Response:
        body = _body()
        amount, reference = _amount(body.get("amount")), str(body.get("reference") or "")
        to = self._recipients.get(str(body.get("recipient") or ""))
        checks = (
            (body.get("source") == "balance", 400, "Invalid source"),
            (amount is not None, 400, "Amount must be an integer"),
            (to is not None, 404, "Recipient specified is invalid"),
            (
                wire.TRANSFER_REFERENCE.fullmatch(reference) is not None,
                400,
                "Your reference contains illegal special characters",
            ),
        )
        for is_good, status, words in checks:
            if not is_good:
                return _refusal(status, words)
        assert amount is not None
        assert to is not None
        made = self._rail.book.open_transfer(
            reference=reference,
            amount=amount,
            currency=str(body.get("currency") or "NGN"),
            to=to | {"reason": str(body.get("reason") or "")},
        )
        if made == "used":
            words = "Please provide a unique reference. Reference already exists on a transfer"
            return _refusal(400, words)
        if made == "poor":
            return _refusal(400, "Your balance is not enough to fulfil this request")
        return made

    def _verify_transfer(self, reference: str) -> Response:
        made = self._rail.book.transfers.get(reference)
        if made is None:
            return _refusal(404, "Transfer not found")
        return _done("Transfer retrieved", wire.transfer(made, domain="test"))


def _done(message: str, data: Mapping[str, object], status: int = 200) -> Response:
    return said(status, {"status": True, "message": message, "data": data})


def _refusal(status: int, message: str) -> Response:
    more = {"meta": {"nextStep": "Read the message"}, "type": "validation_error", "code": "invalid"}
    return said(status, {"status": False, "message": message, **more})


def _body() -> dict[str, object]:
    body = request.get_json(silent=True)
    return body if isinstance(body, dict) else {}


def _amount(given: object) -> int | None:
    """A positive whole number of minor units, as a number or as text."""
    written = str(given) if isinstance(given, str | int) and not isinstance(given, bool) else ""
    return int(written) if re.fullmatch(r"[1-9][0-9]{0,14}", written) else None

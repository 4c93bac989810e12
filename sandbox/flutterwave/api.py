"""Flutterwave's API: `https://api.flutterwave.com/v3` is `/flutterwave/v3` here."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import wraps

from flask import Blueprint, Response, request

from sandbox.flutterwave import wire
from sandbox.rails.answers import answered, said
from sandbox.rails.book import Book, Transfer
from sandbox.rails.doors import hang_control, hang_page
from sandbox.rails.faults import Call, Faults
from sandbox.rails.rail import Rail
from sandbox.rails.webhooks import Pace, Webhooks

_REQUIRED = ("account_bank", "account_number", "currency")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def create_blueprint(
    *,
    web_url: str,
    secret_key: str,
    secret_hash: str,
    pace: Pace,
    signature: wire.Signature = "v3-literal",
) -> Blueprint:
    """Hang the fake Flutterwave: its API, its page, and what tests tell it."""
    webhooks = Webhooks(
        "flutterwave",
        f"{web_url.rstrip('/')}/callbacks/flutterwave",
        lambda body: wire.signature(signature, secret_hash, body),
        pace,
    )
    rail = Rail("flutterwave", Book(), Faults(), webhooks, wire.Dialect())
    doors = Blueprint("flutterwave", __name__, url_prefix="/flutterwave")
    hang_control(doors, rail)
    hang_page(doors, rail, title="Flutterwave")
    _Api(rail, secret_key).hang(doors)
    doors.record(lambda state: state.app.extensions.setdefault("rails", []).append(webhooks))
    return doors


class _Api:
    def __init__(self, rail: Rail, secret_key: str) -> None:
        self._rail = rail
        self._key = secret_key

    def hang(self, doors: Blueprint) -> None:
        rules: tuple[tuple[str, str, Call, Callable[[], Response]], ...] = (
            ("POST", "/payments", "initialise", self._initialise),
            ("GET", "/transactions/verify_by_reference", "verify", self._verify),
            ("POST", "/transfers", "transfer", self._transfer),
            ("GET", "/transfers", "verify-transfer", self._transfers),
        )
        for method, path, call, act in rules:
            door = self._guarded(call, act)
            doors.add_url_rule(f"/v3{path}", f"api-{call}", door, methods=[method])

    def _guarded(self, call: Call, act: Callable[[], Response]) -> Callable[[], Response]:
        @wraps(act)
        def door() -> Response:
            given = request.headers.get("Authorization", "")
            if not given.startswith("Bearer "):
                return _refusal(401, "Authorization required")
            if not hmac.compare_digest(given.encode(), f"Bearer {self._key}".encode()):
                return _refusal(401, "Invalid authorization key")
            # A transfer's script says how it ends, too, so it is taken where that is known.
            if call == "transfer":
                return act()
            return answered(self._rail.faults.take(call), act, _refusal)

        return door

    def _initialise(self) -> Response:
        body = _body()
        amount, currency = _minor(body.get("amount")), body.get("currency", "NGN")
        reference, customer = body.get("tx_ref"), body.get("customer")
        email = customer.get("email") if isinstance(customer, dict) else None
        checks = (
            (isinstance(reference, str) and 0 < len(reference) <= 100, "tx_ref is required"),  # noqa: PLR2004
            (amount is not None, "amount is required"),
            (currency in wire.CURRENCIES, "currency is invalid"),
            (isinstance(email, str) and _EMAIL.fullmatch(email), "customer.email must be an email"),
            (str(body.get("redirect_url") or "").startswith("http"), "redirect_url is required"),
        )
        for is_good, words in checks:
            if not is_good:
                return _refusal(400, words)
        assert amount is not None
        charge = self._rail.book.open_charge(
            reference=str(reference),
            amount=amount,
            currency=str(currency),
            email=str(email),
            return_url=str(body["redirect_url"]),
        )
        if charge is None:
            return _refusal(400, "Duplicate tx_ref")
        url = f"{request.host_url.rstrip('/')}/flutterwave/checkout/{charge.access}"
        return _done("Hosted Link", {"link": url})

    def _verify(self) -> Response:
        charge = self._rail.book.charges.get(request.args.get("tx_ref", ""))
        # A page that nobody has tried to pay on is no transaction yet.
        if charge is None or charge.status == "open":
            return _refusal(404, "No transaction was found for this id")
        return _done("Transaction fetched successfully", wire.transaction(charge))

    def _transfer(self) -> Response:
        script = self._rail.faults.take("transfer")

        def act() -> Response:
            made = self._order()
            if isinstance(made, Response):
                return made
            self._rail.begin(made, script)
            now = self._rail.book.transfers[made.reference]
            return _done("Transfer Queued Successfully", wire.transfer(now))

        return answered(script, act, _refusal)

    def _order(self) -> Transfer | Response:
        body = _body()
        amount, reference = _minor(body.get("amount")), str(body.get("reference") or "")
        checks = (
            *((bool(body.get(name)), f"{name} is required") for name in _REQUIRED),
            (amount is not None, "amount should be a number"),
            (re.fullmatch(r"[A-Za-z0-9_-]{1,100}", reference), "reference is invalid"),
            (body.get("account_bank") != "000", "account_bank is invalid"),
        )
        for is_good, words in checks:
            if not is_good:
                return _refusal(400, words)
        assert amount is not None
        made = self._rail.book.open_transfer(
            reference=reference,
            amount=amount,
            currency=str(body["currency"]),
            to={name: str(value) for name, value in body.items()},
        )
        if made == "used":
            return _refusal(400, "Transfer with this reference already exists")
        if made == "poor":
            return _refusal(400, "Insufficient funds in customer wallet")
        return made

    def _transfers(self) -> Response:
        wanted = request.args.get("reference")
        book = self._rail.book.transfers
        found = [each for each in book.values() if wanted in (None, each.reference)]
        page = {"page_info": {"total": len(found), "current_page": 1, "total_pages": 1}}
        data = [wire.transfer(each) for each in found]
        return said(
            200, {"status": "success", "message": "Transfers fetched", "meta": page, "data": data}
        )


def _done(message: str, data: Mapping[str, object]) -> Response:
    return said(200, {"status": "success", "message": message, "data": data})


def _refusal(status: int, message: str) -> Response:
    return said(status, {"status": "error", "message": message, "data": None})


def _body() -> dict[str, object]:
    body = request.get_json(silent=True)
    return body if isinstance(body, dict) else {}


def _minor(given: object) -> int | None:
    """Whole units, as a number or as text, in minor ones; None where it is no such amount."""
    written = str(given) if isinstance(given, str | int | float) and given is not True else ""
    if not re.fullmatch(r"[0-9]{1,13}(\.[0-9]{1,2})?", written):
        return None
    return int(Decimal(written) * 100) or None

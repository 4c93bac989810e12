"""The doors to Safaricom's book, for tests to look at and to change: `/daraja/control/…`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from typing import Annotated

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.exceptions import BadRequest, NotFound

from sandbox.daraja import wire
from sandbox.daraja.book import CHARGES, UTILITY, Book, Transaction, Wallet
from sandbox.daraja.safaricom import Safaricom
from sandbox.daraja.statement import exported
from sandbox.daraja.terms import Habit
from sandbox.daraja.words import Kes, kes, number
from sandbox.told import body, said

_PREFIX = "/control"


class _Changes(BaseModel):
    """What can be told of a person."""

    model_config = ConfigDict(extra="forbid")

    balance: Annotated[Kes, Field(ge=0)] | None = None
    pin: Annotated[str, Field(pattern=r"^\d{4}$")] | None = None
    name: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    habit: Habit | None = None
    registered: bool | None = None
    locked: bool | None = None
    sim_changed: datetime | None = None


def hang(doors: Blueprint, safaricom: Safaricom) -> None:
    """Hang them on the provider's blueprint."""
    _hang_balances(doors, safaricom)
    _hang_lists(doors, safaricom)


def _hang_balances(doors: Blueprint, safaricom: Safaricom) -> None:
    book = safaricom.book

    @doors.route(_PREFIX + "/phones/<raw>", methods=["GET", "PUT"])
    def phone(raw: str) -> Response:
        msisdn = number(raw, "number")
        with book.lock:
            wallet = book.wallet(msisdn)
            if request.method == "PUT":
                _change(wallet, body())
            return jsonify(_shown_wallet(wallet))

    @doors.route(_PREFIX + "/accounts/<shortcode>", methods=["GET", "PUT"])
    def accounts(shortcode: str) -> Response:
        organisation = book.organisations.get(shortcode)
        if organisation is None:
            raise NotFound(f"There is no shortcode {shortcode}.")
        with book.lock:
            if request.method == "PUT":
                for name, balance in body().items():
                    if name not in organisation.accounts:
                        raise BadRequest(f"There is no account {name!r}.")
                    organisation.accounts[name] = kes(balance)
            return jsonify({name: f"{each:.2f}" for name, each in organisation.accounts.items()})


def _hang_lists(doors: Blueprint, safaricom: Safaricom) -> None:
    book = safaricom.book

    @doors.get(_PREFIX + "/transactions")
    def transactions() -> Response:
        wanted = request.args.get("receipt")
        with book.lock:
            return jsonify(
                [
                    _shown_transaction(each)
                    for each in book.transactions.values()
                    if wanted in {None, each.receipt}
                ]
            )

    @doors.get(_PREFIX + "/statement")
    def statement() -> Response:
        told = request.args
        organisation = book.organisations.get(told.get("shortcode", safaricom.contract.shortcode))
        account = told.get("account", UTILITY)
        if organisation is None or account not in organisation.accounts:
            raise NotFound("There is no such account.")
        words = exported(
            book,
            organisation,
            account,
            start=_moment(told.get("from")),
            end=_moment(told.get("to")),
            bare=told.get("bare") == "1",
        )
        return Response(words, content_type="text/csv; charset=utf-8")

    @doors.get(_PREFIX + "/totals")
    def totals() -> Response:
        with book.lock:
            return jsonify(_totals(book))


def _moment(raw: str | None) -> datetime | None:
    if raw is None:
        return None
    try:
        return datetime.fromisoformat(raw).replace(tzinfo=wire.NAIROBI)
    except ValueError as error:
        raise BadRequest(f"{raw!r} is no time, such as 2026-11-28T00:00:00.") from error


def _totals(book: Book) -> dict[str, object]:
    totals: dict[str, object] = {}
    for kind in ("c2b", "b2c", "b2b", "reversal"):
        done = [
            each.amount
            for each in book.transactions.values()
            if each.kind == kind and each.status == "Completed"
        ]
        totals[kind] = {"count": len(done), "amount": f"{_sum(done):.2f}"}
    organisations = book.organisations.values()
    totals["charges"] = f"{-_sum(each.accounts[CHARGES] for each in organisations):.2f}"
    totals["everything"] = f"{book.total():.2f}"
    return totals


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


def _change(wallet: Wallet, told: dict[str, object]) -> None:
    try:
        changes = _Changes.model_validate(told)
    except ValidationError as error:
        raise BadRequest(f"Nobody's M-PESA is like that: {said(error)}") from error
    for name in changes.model_fields_set:
        value = getattr(changes, name)
        if value is not None or name == "habit":
            setattr(wallet, name, value)
    if changes.locked is False:
        wallet.wrong_pins = 0


def _shown_wallet(wallet: Wallet) -> dict[str, object]:
    return {
        "number": "+" + wallet.msisdn,
        "name": wallet.name,
        "balance": f"{wallet.balance:.2f}",
        "pin": wallet.pin,
        "habit": wallet.habit,
        "registered": wallet.registered,
        "locked": wallet.locked,
    }


def _shown_transaction(transaction: Transaction) -> dict[str, object]:
    shown = asdict(transaction)
    for name, value in shown.items():
        if isinstance(value, Decimal):
            shown[name] = f"{value:.2f}"
        elif isinstance(value, datetime):
            shown[name] = value.isoformat(timespec="milliseconds")
    return shown

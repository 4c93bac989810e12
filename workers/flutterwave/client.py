"""
Flutterwave's API, version 3, as far as money comes in and goes out by it.
"""

from __future__ import annotations

from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from core.money import Money
from core.payees import Payee, PayeeKind
from core.rails import Provider
from workers.errors import Blocked, CallFailed, Unknown, Unreachable
from workers.flutterwave import wire
from workers.rails import (
    Charge,
    ChargeState,
    Checkout,
    News,
    PaymentRail,
    Topic,
    Transfer,
    TransferState,
)
from workers.rails.calling import (
    NO_BALANCE,
    TIMEOUTS,
    Api,
    Reply,
    first,
    from_major,
    parsed,
    rejected,
    said,
)
from workers.transport import Timeouts

W = TypeVar("W", bound=BaseModel)

_NOT_FOUND: Final = ("no transaction was found", "not found")
_USED_BEFORE: Final = ("already exist", "duplicate", "already been used")
_NO_BALANCE: Final = ("insufficient", "not enough")
_MPESA: Final = "MPS"
_LISTED: Final = TypeAdapter(list[wire.Moved])


class Flutterwave(PaymentRail):
    """
    An account with Flutterwave.

    Args:
        secret_key: The account's secret key, `FLWSECK-…`.
        url: The API's base, with its version.
        email: Whom Flutterwave sends its own receipts: it takes no payment without an address,
            and our people need have none.
        return_url: Where its page sends people when they are done.
        timeouts: In seconds.

    Raises:
        ValueError: A setting cannot work.
    """

    provider = Provider.FLUTTERWAVE

    def __init__(
        self,
        *,
        secret_key: str,
        url: str,
        email: str,
        return_url: str,
        timeouts: Timeouts = TIMEOUTS,
    ) -> None:
        self._api = Api(url=url, key=secret_key, timeouts=timeouts)
        self._email = email
        self._return_url = return_url

    def initialise(self, *, reference: str, amount: Money) -> Checkout:
        reply = self._api.post(
            "/payments",
            {
                "tx_ref": reference,
                "amount": _major(amount),
                "currency": amount.currency.value,
                "redirect_url": self._return_url,
                "customer": {"email": self._email},
            },
        )
        return Checkout(_data(reply, wire.Initialised).link)

    def verify(self, *, reference: str) -> Charge:
        reply = self._api.get("/transactions/verify_by_reference", tx_ref=reference)
        if reply.says(_NOT_FOUND):
            return Charge(ChargeState.ABSENT)
        told = _told(reply, wire.Verified)
        state = wire.CHARGE_STATES.get(told.status)
        if state is None or told.tx_ref != reference:
            raise Unreachable("an answer about something else, or in a word we do not know")
        return Charge(
            state,
            amount=from_major(told.amount, told.currency),
            cost=from_major(told.app_fee, told.currency),
            receipt=told.id,
            why=said(told.processor_response) or told.status,
        )

    def transfer(self, *, reference: str, amount: Money, payee: Payee, reason: str) -> Transfer:
        is_bank = payee.kind is PayeeKind.BANK
        reply = self._api.post(
            "/transfers",
            {
                "account_bank": payee.bank if is_bank else _MPESA,
                "account_number": payee.account if is_bank else payee.account.removeprefix("+"),
                "amount": _major(amount),
                "currency": amount.currency.value,
                "debit_currency": amount.currency.value,
                "beneficiary_name": payee.name,
                "reference": reference,
                "narration": reason,
            },
        )
        if reply.status == HTTPStatus.CONFLICT or reply.says(_USED_BEFORE):
            raise Unknown("the reference was used before")
        if reply.says(_NO_BALANCE):
            raise Blocked(f"HTTP {reply.status}: {reply.message}", NO_BALANCE)
        return _transfer(_data(reply, wire.Moved), reference)

    def verify_transfer(self, *, reference: str) -> Transfer:
        reply = self._api.get("/transfers", reference=reference)
        if reply.says(_NOT_FOUND):
            return Transfer(TransferState.ABSENT)
        try:
            listed = _LISTED.validate_python(_body(reply))
            ours = [each for each in listed if each.reference == reference]
            return _transfer(ours[0], reference) if ours else Transfer(TransferState.ABSENT)
        except ValidationError as error:
            raise Unreachable(f"an answer that cannot be read ({first(error)})") from None
        except CallFailed as failure:
            raise Unreachable(failure.why) from None

    def understand(self, body: bytes) -> News:
        try:
            told = wire.Webhook.model_validate(parsed(body))
        except ValidationError as error:
            raise Unknown(f"no webhook of Flutterwave's ({first(error)})") from None
        topic = wire.TOPICS.get(told.event, Topic.OTHER)
        return News(topic, told.reference, said(told.event))

    def close(self) -> None:
        self._api.close()


def _major(amount: Money) -> int | float:
    """
    An amount in whole units, as JSON has numbers.

    Two decimals at most and fifteen digits: a double holds each of these exactly as it is written.
    """
    whole = Decimal(amount.minor).scaleb(-amount.currency.exponent)
    return int(whole) if whole == whole.to_integral_value() else float(whole)


def _body(reply: Reply) -> Any:  # noqa: ANN401 - whatever JSON there is
    """
    The data of a success.

    Raises:
        Rejected: It was none.
        Unknown: That is not clear.
    """
    if not reply.is_success:
        raise rejected(reply)
    if reply.body.get("status") != "success":  # of the call alone, but without it there is no data
        raise Unknown(f"HTTP {reply.status} that says it was no success")
    return reply.body.get("data")


def _data(reply: Reply, shape: type[W]) -> W:
    """
    What a call that was to do something answered.

    Raises:
        Rejected: It was not done.
        Unknown: It may have been.
    """
    try:
        return shape.model_validate(_body(reply))
    except ValidationError as error:
        raise Unknown(f"an answer that cannot be read ({first(error)})") from None


def _told(reply: Reply, shape: type[W]) -> W:
    """
    What a question was answered.

    Raises:
        Unreachable: Nothing that can be read.
    """
    try:
        return _data(reply, shape)
    except CallFailed as failure:
        raise Unreachable(failure.why) from None


def _transfer(told: wire.Moved, reference: str) -> Transfer:
    state = wire.TRANSFER_STATES.get(told.status.upper())
    if state is None or told.reference != reference:
        raise Unknown("an answer about something else, or in a word we do not know")
    return Transfer(
        state,
        amount=from_major(told.amount, told.currency),
        cost=from_major(told.fee, told.currency),
        receipt=f"transfer-{told.id}",  # charges are counted by themselves: both have a 17
        why=said(told.complete_message) or told.status,
    )

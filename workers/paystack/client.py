"""
Paystack's API, as far as money comes in and goes out by it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from core.money import Money
from core.payees import Payee, PayeeKind
from core.rails import Provider
from workers.errors import Blocked, CallFailed, Unknown, Unreachable
from workers.paystack import wire
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
    from_minor,
    parsed,
    rejected,
    said,
)
from workers.transport import Timeouts

W = TypeVar("W", bound=BaseModel)

# Paystack has a word for each in its errors, and no code that was always there.
_NOT_FOUND: Final = ("not found",)
_USED_BEFORE: Final = ("unique reference", "already exists", "duplicate")
_NO_BALANCE: Final = ("balance is not enough", "insufficient")
_MPESA: Final = "MPESA"


class Paystack(PaymentRail):
    """
    An account with Paystack.

    Args:
        secret_key: The account's secret key, `sk_live_…`.
        url: The API's base.
        email: Whom Paystack sends its own receipts: it takes no payment without an address, and
            our people need have none.
        return_url: Where its page sends people when they are done.
        timeouts: In seconds.

    Raises:
        ValueError: A setting cannot work.
    """

    provider = Provider.PAYSTACK

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
            "/transaction/initialize",
            {
                "email": self._email,
                "amount": str(amount.minor),
                "currency": amount.currency.value,
                "reference": reference,
                "callback_url": self._return_url,
            },
        )
        made = _data(reply, wire.Initialised)
        if made.reference != reference:
            raise Unknown("the answer is about another reference")
        return Checkout(made.authorization_url)

    def verify(self, *, reference: str) -> Charge:
        reply = self._api.get(f"/transaction/verify/{quote(reference, safe='')}")
        if reply.says(_NOT_FOUND):
            return Charge(ChargeState.ABSENT)
        told = _told(reply, wire.Verified)
        state = wire.CHARGE_STATES.get(told.status)
        if state is None or told.reference != reference:
            raise Unreachable("an answer about something else, or in a word we do not know")
        return Charge(
            state,
            amount=from_minor(told.amount, told.currency),
            cost=from_minor(told.fees, told.currency),
            receipt=told.id,
            why=said(told.gateway_response) or told.status,
        )

    def transfer(self, *, reference: str, amount: Money, payee: Payee, reason: str) -> Transfer:
        recipient = self._recipient(payee, amount)
        reply = self._api.post(
            "/transfer",
            {
                "source": "balance",
                "amount": amount.minor,
                "currency": amount.currency.value,
                "reference": reference,
                "recipient": recipient,
                "reason": reason,
            },
        )
        if reply.status == HTTPStatus.CONFLICT or reply.says(_USED_BEFORE):
            raise Unknown("the reference was used before")
        if reply.says(_NO_BALANCE):
            raise Blocked(f"HTTP {reply.status}: {reply.message}", NO_BALANCE)
        return _transfer(_data(reply, wire.Moved), reference)

    def verify_transfer(self, *, reference: str) -> Transfer:
        reply = self._api.get(f"/transfer/verify/{quote(reference, safe='')}")
        if reply.says(_NOT_FOUND):
            return Transfer(TransferState.ABSENT)
        try:
            return _transfer(_told(reply, wire.Moved), reference)
        except Unknown as doubt:
            raise Unreachable(doubt.why) from None

    def understand(self, body: bytes) -> News:
        try:
            told = wire.Webhook.model_validate(parsed(body))
        except ValidationError as error:
            raise Unknown(f"no webhook of Paystack's ({first(error)})") from None
        topic = wire.TOPICS.get(told.event, Topic.OTHER)
        return News(topic, told.reference, said(told.event))

    def close(self) -> None:
        self._api.close()

    def _recipient(self, payee: Payee, amount: Money) -> str:
        """
        Whom to pay, as Paystack knows them. It knows them by the same name each time.

        Raises:
            Rejected: There is no such account.
            Unreachable: They were not told; nothing has moved.
        """
        is_bank = payee.kind is PayeeKind.BANK
        body = {
            "type": "nuban" if is_bank else "mobile_money",
            "name": payee.name,
            "account_number": payee.account if is_bank else _dialled(payee.account),
            "bank_code": payee.bank if is_bank else _MPESA,
            "currency": amount.currency.value,
        }
        try:
            return _data(self._api.post("/transferrecipient", body), wire.Recipient).recipient_code
        except Unknown as doubt:  # a recipient more or less moves nothing
            raise Unreachable(doubt.why) from None


def _dialled(number: str) -> str:
    """A phone's number as Paystack takes it: as Kenyans dial it, `0712…`."""
    return "0" + number.removeprefix("+254") if number.startswith("+254") else number


def _data(reply: Reply, shape: type[W]) -> W:
    """
    What a call that was to do something answered.

    Raises:
        Rejected: It was not done.
        Unknown: It may have been.
    """
    if not reply.is_success:
        raise rejected(reply)
    if reply.body.get("status") is not True:  # of the call alone, but without it there is no data
        raise Unknown(f"HTTP {reply.status} that says it was no success")
    try:
        return shape.model_validate(reply.body.get("data"))
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
    state = wire.TRANSFER_STATES.get(told.status)
    if state is None or told.reference != reference:
        raise Unknown("an answer about something else, or in a word we do not know")
    return Transfer(
        state,
        amount=from_minor(told.amount, told.currency),
        cost=from_minor(told.fee_charged, told.currency),
        receipt=told.transfer_code,
        why=said(told.gateway_response) or told.status,
    )

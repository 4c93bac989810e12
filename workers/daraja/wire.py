"""
What Safaricom says on the wire, read once into what we can work with.

Nothing here is trusted for more than its form. Codes are strings, whatever they come as; amounts
are exact; parameters are pairs in their order, as one key may come twice, be written with spaces,
or have no value at all. Names that are misspelt are Safaricom's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from core.money import Currency, Money
from workers.daraja import values
from workers.daraja.values import Code, Id, IdOrNone, Words

_PARAMETERS_MAX: Final = 100

M = TypeVar("M", bound=BaseModel)


class Misread(Exception):
    """It is not what Safaricom says there; the words say why, and quote nothing."""


def parsed(body: bytes) -> dict[str, Any]:
    """
    Parse a body into an object, its fractions exact.

    Raises:
        Misread: It is no JSON object.
    """
    try:
        found = json.loads(body, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError, InvalidOperation):
        raise Misread("no JSON") from None
    if not isinstance(found, dict):
        raise Misread("no object")
    return found


def _refuse(_constant: str) -> None:
    raise ValueError("not a number")


# ----------------------------------------------------------------------------------- callbacks


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class _Item(_Model):
    name: Words = Field(alias="Name")
    value: Any = Field(default=None, alias="Value")


class _Metadata(_Model):
    items: list[_Item] = Field(alias="Item", max_length=_PARAMETERS_MAX)


class _StkCallback(_Model):
    merchant: IdOrNone = Field(default=None, alias="MerchantRequestID")
    checkout: Id = Field(alias="CheckoutRequestID")
    code: Code = Field(alias="ResultCode")
    why: Words = Field(default="", alias="ResultDesc")
    metadata: _Metadata | None = Field(default=None, alias="CallbackMetadata")


class _StkBody(_Model):
    callback: _StkCallback = Field(alias="stkCallback")


class _Stk(_Model):
    body: _StkBody = Field(alias="Body")


@dataclass(frozen=True, slots=True)
class Prompted:
    """How a prompt ended, by the callback's word."""

    checkout: str
    code: str
    why: str
    amount: Money | None
    receipt: str | None
    payer: str | None


def prompted(body: bytes) -> Prompted:
    """
    Read an STK callback.

    Raises:
        Misread: It is none.
    """
    told = _validated(_Stk, parsed(body)).body.callback
    items = told.metadata.items if told.metadata else []
    pairs = [(item.name, item.value) for item in items]
    return Prompted(
        checkout=told.checkout,
        code=told.code,
        why=told.why,
        amount=values.amount(_first(pairs, "amount")),
        receipt=values.receipt(_first(pairs, "mpesareceiptnumber")),
        payer=values.msisdn(_first(pairs, "phonenumber")),
    )


def _as_list(given: object) -> object:
    """One of something comes as a bare object, several as a list."""
    return [given] if isinstance(given, dict) else given


class _Parameter(_Model):
    key: Words = Field(alias="Key")
    value: Any = Field(default=None, alias="Value")


class _Parameters(_Model):
    pairs: Annotated[list[_Parameter], BeforeValidator(_as_list)] = Field(
        default_factory=list, alias="ResultParameter", max_length=_PARAMETERS_MAX
    )


def _parameters_or_none(given: object) -> object:
    """Where there are none, some write an empty string or nothing."""
    return given if isinstance(given, dict) else None


class _Result(_Model):
    code: Code = Field(alias="ResultCode")
    why: Words = Field(default="", alias="ResultDesc")
    originator: IdOrNone = Field(default=None, alias="OriginatorConversationID")
    conversation: IdOrNone = Field(default=None, alias="ConversationID")
    transaction: IdOrNone = Field(default=None, alias="TransactionID")
    parameters: Annotated[_Parameters | None, BeforeValidator(_parameters_or_none)] = Field(
        default=None, alias="ResultParameters"
    )


class _Envelope(_Model):
    result: _Result = Field(alias="Result")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a request, in the envelope all but the prompt have in common."""

    code: str
    why: str
    originator: str | None
    conversation: str | None
    transaction: str | None
    pairs: Sequence[tuple[str, Any]]

    def get(self, key: str) -> Any:  # noqa: ANN401 - whatever JSON there is
        """The first value of a key; None where there is none, or it has no value."""
        return _first(self.pairs, key.casefold())

    def every(self, key: str) -> Sequence[Any]:
        """All values of a key, in their order."""
        return [value for name, value in self.pairs if _plain(name) == key.casefold()]


def result(body: bytes) -> Result:
    """
    Read a result, or a timeout, which is a result without parameters.

    Raises:
        Misread: It is none.
    """
    told = _validated(_Envelope, parsed(body)).result
    pairs = told.parameters.pairs if told.parameters else []
    return Result(
        code=told.code,
        why=told.why,
        originator=told.originator,
        conversation=told.conversation,
        transaction=told.transaction,
        pairs=[(each.key, each.value) for each in pairs],
    )


class _C2b(_Model):
    receipt: Id = Field(alias="TransID")
    at: Any = Field(default=None, alias="TransTime")
    amount: Any = Field(alias="TransAmount")
    shortcode: Code = Field(alias="BusinessShortCode")
    account: Any = Field(default="", alias="BillRefNumber")
    payer: Any = Field(default=None, alias="MSISDN")
    first: Words = Field(default="", alias="FirstName")
    middle: Words = Field(default="", alias="MiddleName")
    last: Words = Field(default="", alias="LastName")


@dataclass(frozen=True, slots=True)
class Payment:
    """
    Somebody pays, or would pay, our paybill.

    Args:
        receipt: Safaricom's receipt; blank where the payment is only asked about.
        account: What the payer typed as the account.
        payer: Their number, where it is told whole.
        payer_word: What is told instead: a mask, or the SHA-256 of the number.
    """

    receipt: str | None
    amount: Money | None
    shortcode: str
    account: str
    at: datetime | None
    payer: str | None
    payer_word: str
    name: str


def payment(body: bytes) -> Payment:
    """
    Read a C2B validation or confirmation, which look alike.

    Raises:
        Misread: It is neither.
    """
    told = _validated(_C2b, parsed(body))
    try:
        payer_word = values.word(told.payer)
        account = values.word(told.account)
    except ValueError:
        payer_word, account = "", ""
    return Payment(
        receipt=values.receipt(told.receipt),
        amount=values.amount(told.amount),
        shortcode=told.shortcode,
        account=values.words(account).strip()[:64],
        at=values.instant(told.at),
        payer=values.msisdn(told.payer),
        payer_word=values.words(payer_word),
        name=" ".join(filter(None, (told.first, told.middle, told.last))),
    )


# --------------------------------------------------------------------------------------- answers


class Acknowledged(_Model):
    """What every accepted request has in common."""

    code: Code = Field(alias="ResponseCode")
    checkout: IdOrNone = Field(default=None, alias="CheckoutRequestID")
    originator: IdOrNone = Field(default=None, alias="OriginatorConversationID")
    conversation: IdOrNone = Field(default=None, alias="ConversationID")
    result: Annotated[str | None, BeforeValidator(values.code)] = Field(
        default=None, alias="ResultCode"
    )
    why: Words = Field(default="", alias="ResultDesc")
    picture: str | None = Field(default=None, alias="QRCode", max_length=100_000)


class Refusal(_Model):
    """The gateway's own envelope, whatever the HTTP status says."""

    code: Code = Field(alias="errorCode")
    why: Words = Field(default="", alias="errorMessage")


class Granted(_Model):
    """A token; how long it is good for comes as a number or as a string."""

    token: Annotated[str, Field(min_length=8, max_length=4096, pattern=r"^[!-~]+$")] = Field(
        alias="access_token"
    )
    seconds: int = Field(alias="expires_in", ge=1, le=86_400)


def acknowledged(body: bytes) -> Acknowledged | Refusal:
    """
    Read an answer of the gateway's.

    Raises:
        Misread: It is neither an acknowledgement nor a refusal.
    """
    found = parsed(body)
    if "errorCode" in found:
        return _validated(Refusal, found)
    return _validated(Acknowledged, found)


def granted(body: bytes) -> Granted:
    """
    Read a token.

    Raises:
        Misread: It is none.
    """
    return _validated(Granted, parsed(body))


def balances(words: str) -> dict[str, Money]:
    """
    Read `Working Account|KES|700000.00|700000.00|0.00|0.00&…` into what is available of each.

    Available is the fourth field; an account that is not understood is left out.
    """
    found: dict[str, Money] = {}
    for account in words.split("&"):
        fields = account.split("|")
        if len(fields) > 3 and fields[1].strip() == Currency.KES.value:  # noqa: PLR2004 - above
            available = values.amount(fields[3])
            if available is not None:
                found[values.words(fields[0]).strip()] = available
    return found


def _first(pairs: Sequence[tuple[str, Any]], key: str) -> Any:  # noqa: ANN401 - whatever is there
    return next((value for name, value in pairs if _plain(name) == key and value is not None), None)


def _plain(name: str) -> str:
    """A key as it is meant: some samples write it with spaces."""
    return name.replace(" ", "").casefold()


def _validated(model: type[M], found: dict[str, Any]) -> M:
    try:
        return model.model_validate(found)
    except ValidationError as error:
        where = error.errors(include_url=False, include_input=False, include_context=False)[0]
        # Names of fields and places in lists, all of them the models': nothing that was sent.
        raise Misread(f"{'.'.join(map(str, where['loc']))}: {where['type']}") from None
    except RecursionError:
        raise Misread("too deep") from None

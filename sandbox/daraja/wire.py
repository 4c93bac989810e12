"""The shapes of Daraja on the wire: ids, receipts, times in Nairobi, numbers, error envelopes."""

from __future__ import annotations

import json
import re
import string
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from random import Random

NAIROBI = timezone(timedelta(hours=3), "EAT")
"""East Africa Time; Kenya has no summer time."""

OK = "The service request is processed successfully."
ACCEPTED = "Accept the service request successfully."

_YEAR_OF_A = 2006
"""The first letter of a receipt is its year: N is 2019, S is 2024."""
_DAYS = "0123456789ABCDEFGHIJKLMNOPQRSTUV"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_PLAIN = "\0"


class Refusal(Exception):
    """
    A request that the gateway does not take.

    Args:
        status: of HTTP.
        code: the `errorCode`.
        message: the `errorMessage`.

    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def invalid(field: str) -> Refusal:
    """Refuse a field, with the words that Daraja has for it."""
    return Refusal(400, "400.002.02", f"Bad Request - Invalid {field}")


def now() -> datetime:
    """What time it is in Nairobi."""
    return datetime.now(NAIROBI)


def stamp(at: datetime) -> str:
    """`yyyyMMddHHmmss`, as nearly everything in Daraja."""
    return at.strftime("%Y%m%d%H%M%S")


def dotted(at: datetime) -> str:
    """`dd.MM.yyyy HH:mm:ss`, as the results of B2C alone have it."""
    return at.strftime("%d.%m.%Y %H:%M:%S")


class Ids:
    """Makes what Safaricom numbers its things by; safe to share between threads."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._lock = threading.Lock()
        self._given: set[str] = set()

    def receipt(self, at: datetime) -> str:
        """Ten characters: a letter for the year, one for the month, one for the day, then seven."""
        day = _LETTERS[at.year - _YEAR_OF_A] + _LETTERS[at.month - 1] + _DAYS[at.day]
        return self._unheard_of(lambda: day + "".join(self._random.choices(_LETTERS, k=7)))

    def dummy(self, at: datetime) -> str:
        """The receipt of what moves no money: it ends in zeros."""
        return self.receipt(at)[:3] + "0" * 7

    def request(self, digits: int = 7) -> str:
        """Such as `1c5b-4ba8-815c-ac45c57a3db01495926`."""
        digit = "".join(self._random.choices("0123456789", k=digits))
        return f"{self._hex(4)}-{self._hex(4)}-{self._hex(4)}-{self._hex(12)}{digit}"

    def conversation(self, at: datetime) -> str:
        """Such as `AG_20240706_20106e9209f64bebd05b`."""
        return f"AG_{at:%Y%m%d}_2010{self._hex(16)}"

    def checkout(self, at: datetime, msisdn: str) -> str:
        """Such as `ws_CO_21072024125243250722943992`."""
        begins, ends = f"ws_CO_{at:%d%m%Y%H%M%S}", msisdn[-9:]
        return self._unheard_of(lambda: f"{begins}{self._random.randrange(100, 1000)}{ends}")

    def token(self) -> str:
        """Such as `c9SQxWWhmdVRlyh0zh8gZDTkubVF`."""
        letters = string.ascii_letters + string.digits
        return "".join(self._random.choices(letters, k=28))

    def _unheard_of(self, make: Callable[[], str]) -> str:
        with self._lock:
            while (made := make()) in self._given:
                pass
            self._given.add(made)
            return made

    def _hex(self, digits: int) -> str:
        return "".join(self._random.choices("0123456789abcdef", k=digits))


def dumps(body: object) -> str:
    """Write JSON in which a Decimal is a number with the places it has, as `1.00`."""
    marked = json.dumps(body, default=lambda value: f"{_PLAIN}{value}")
    return re.sub(r'"\\u0000([^"]*)"', r"\1", marked)


def two(amount: Decimal) -> Decimal:
    """The same amount with two places."""
    return amount.quantize(Decimal("0.01"))


def pairs(fields: Sequence[tuple[str, object]]) -> list[dict[str, object]]:
    """List parameters as results have them; one that is None has a key and no value."""
    return [
        {"Key": key} if value is None else {"Key": key, "Value": value} for key, value in fields
    ]


def envelope(request_id: str, refusal: Refusal) -> dict[str, str]:
    """Say a refusal as the gateway does."""
    return {
        "requestId": request_id,
        "errorCode": refusal.code,
        "errorMessage": refusal.message,
    }


def result(
    *,
    code: str,
    words: str,
    originator: str,
    conversation: str,
    transaction: str,
    parameters: object = (),
    reference: object,
    as_strings: bool = False,
) -> dict[str, object]:
    """
    Build the body that is posted to a ResultURL.

    Args:
        code: what became of it; digits are sent as a number.
        words: the same for people.
        originator: the `OriginatorConversationID`.
        conversation: the `ConversationID`.
        transaction: the `TransactionID`.
        parameters: left out when there are none.
        reference: the `ReferenceItem`, an object or an array.
        as_strings: type and code are strings, as in the results of balances.

    """
    kind: str | int = "0" if as_strings else 0
    body: dict[str, object] = {
        "ResultType": kind,
        "ResultCode": code if as_strings or not code.isdigit() else int(code),
        "ResultDesc": words,
        "OriginatorConversationID": originator,
        "ConversationID": conversation,
        "TransactionID": transaction,
    }
    if parameters:
        body["ResultParameters"] = {"ResultParameter": parameters}
    body["ReferenceData"] = {"ReferenceItem": reference}
    return {"Result": body}


def came_from(api: str) -> dict[str, str]:
    """The usual `ReferenceItem`: an address inside Safaricom that is of no use to anybody."""
    return {
        "Key": "QueueTimeoutURL",
        "Value": f"https://internalsandbox.safaricom.co.ke/mpesa/{api}/v1/submit",
    }


def money(said: str) -> Decimal:
    """
    Read an amount in KES.

    Raises:
        Refusal: it is none.

    """
    try:
        amount = Decimal(said)
    except InvalidOperation:
        raise invalid("Amount") from None
    if not amount.is_finite() or amount <= 0 or amount != two(amount):
        raise invalid("Amount")
    return amount

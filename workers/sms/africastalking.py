"""
Sends messages through Africa's Talking.

The payload is built by the official package; the bytes travel over a transport of our own, since
the package's opens a connection per message and counts every answer as a success
(reference africastalking.md §2.4). What the answers mean: ibid. §2.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from africastalking.SMS import SMSService

from core.money import Money, kes
from workers.errors import Blocked, CallFailed, Rejected, Unknown, Unreachable
from workers.sms import Receipt, SmsSender
from workers.transport import Answer, Timeouts, Transport

_E164 = re.compile(r"\+[1-9][0-9]{7,14}")
_KEY = re.compile(r"[!-~]+")
_PROVIDER_ID = re.compile(r"[!-~]{1,128}")  # no database refuses these, unlike NUL or \ud800
_COST = re.compile(r"[ -~]{1,32}")
_COST_KES = re.compile(r"KES ([0-9]{1,9}(?:\.[0-9]{1,8})?)")
_BALANCE_KES = re.compile(r"KES (-?[0-9]{1,12}(?:\.[0-9]{1,8})?)")
_RETRY_AFTER_SECONDS_MAX = 3600.0

INVALID_SENDER = "InvalidSenderId"
NO_CREDIT = "InsufficientBalance"
BLACKLISTED = "UserInBlacklist"
BAD_KEY = "BadKey"
BAD_URL = "BadUrl"

_ACCEPTED = {100: "Processed", 101: "Sent", 102: "Queued"}
_REJECTED = {
    403: "InvalidPhoneNumber",
    404: "UnsupportedNumberType",
    406: BLACKLISTED,
    407: "CouldNotRoute",
    409: "DoNotDisturbRejection",
}
_REJECTED_ALERT = {401: "RiskHold"}
_BLOCKED = {402: INVALID_SENDER, 405: NO_CREDIT}
_UNREACHABLE = {500: "InternalServerError", 501: "GatewayError", 502: "RejectedByGateway"}

_HTTP_NOT_TAKEN = {408, 425, 429}  # each says: I did not act on this, send it again
_HTTP_MOVED = {301, 307, 308}  # each says: I did not act on this, send it elsewhere

TIMEOUTS = Timeouts()  # together well under the time of a job


class AfricasTalking(SmsSender):
    """
    An account with Africa's Talking that texts are sent from.

    Safe to share between threads. Make it in the process that sends: its connections must not
    be inherited through a fork. Nothing is ever repeated here; the queue decides about that.

    Args:
        username: The account's name. It does not choose between sandbox and live: `url` does.
        api_key: The account's key.
        url: The API's base, such as `https://api.africastalking.com`.
        sender_id: Whom messages come from; None for the provider's shared sender.
        timeouts: In seconds.

    Raises:
        ValueError: A setting cannot work.
    """

    def __init__(
        self,
        *,
        username: str,
        api_key: str,
        url: str,
        sender_id: str | None,
        timeouts: Timeouts = TIMEOUTS,
    ) -> None:
        if not _KEY.fullmatch(api_key):
            raise ValueError("The API key must be visible ASCII without spaces; copy it again.")
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
            raise ValueError("The API's URL must look like https://api.africastalking.com.")
        self.has_sender_id = sender_id is not None
        self._sender_id = sender_id
        self._timeouts = timeouts
        self._api = _Api(username, api_key, url)

    def send(self, *, to: str, text: str, as_shared: bool = False) -> Receipt:
        answer = self._post([to], text, as_shared=as_shared)
        match _recipients(answer):
            case [dict(recipient)]:
                return _receipt(recipient)
            case _:
                raise Unknown("the answer is not about one recipient")

    def send_many(self, *, to: Sequence[str], text: str) -> Mapping[str, Receipt | CallFailed]:
        assert len(set(to)) == len(to)  # two entries for one number could not be told apart
        told = _recipients(self._post(to, text, as_shared=False))
        return {number: _outcome(told, number) for number in to}

    def credit(self) -> Money:
        answer: Answer = self._api.fetch_user(timeout=self._timeouts)
        _refuse_status(answer)
        try:
            balance = _content(answer.body)["userData"]["balance"]
        except (KeyError, TypeError):
            raise Unknown(f"HTTP {answer.status} with a body that is no answer") from None
        told = _BALANCE_KES.fullmatch(balance) if isinstance(balance, str) else None
        if told is None:
            raise Unknown("a balance that is not in shillings")
        return kes(int(Decimal(told[1]) * 100))

    def _post(self, to: Sequence[str], text: str, *, as_shared: bool) -> Answer:
        """
        Hand a text over.

        Raises:
            Rejected: It cannot be handed over as it is.
            Unreachable, Unknown: As `Transport.request` has them.
        """
        if not all(map(_E164.fullmatch, to)):  # the package accepts +25471, and a line break
            raise Rejected("the number is not in E.164", "InvalidPhoneNumber")
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise Rejected("the text has half a character in it, so has no encoding", "InvalidText")
        answer: Answer = self._api.send(
            text,
            list(to),
            sender_id=None if as_shared else self._sender_id,
            enqueue=True,  # False would leave the field out, and the provider's default is 1
            timeout=self._timeouts,
        )
        return answer

    def close(self) -> None:
        """Hang up the pooled connections."""
        self._api.transport.close()


class _Api(SMSService):  # type: ignore[misc]  # the package has no types
    """The package's SMS service with its addresses and its transport replaced."""

    def __init__(self, username: str, api_key: str, url: str) -> None:
        self._url = url.rstrip("/")
        self.transport = Transport(headers={"apiKey": api_key})
        super().__init__(username, api_key)
        del self._api_key, self._headers["apiKey"]  # the transport has it

    def _init_service(self) -> None:
        """Take the address from the settings; the package would guess it from the user name."""
        self._baseUrl = self._contentUrl = self._url + "/version1"

    def fetch_user(self, *, timeout: Timeouts) -> Answer:
        """Ask how the account is; the package keeps this in a service of its own."""
        return self._make_request(
            self._make_url("/user"),
            "GET",
            headers=self._headers,
            data=None,
            params={"username": self._username},
            timeout=timeout,
        )

    def _make_request(
        self,
        url: str,
        method: str,
        *,
        headers: Mapping[str, str],
        data: Mapping[str, Any] | None,
        params: Mapping[str, Any] | None,
        callback: None = None,
        timeout: Timeouts,
    ) -> Answer:
        """
        Make the package's request over our transport.

        Raises:
            Unreachable, Unknown: As `Transport.request` has them.
        """
        assert callback is None  # it would run in a bare thread and lose its errors
        return self.transport.request(
            method, url, headers=headers, data=data, params=params, timeouts=timeout
        )


# ------------------------------------------------------------------------- what the answer means


def _recipients(answer: Answer) -> list[Any]:
    """
    Find in an answer what is said of each recipient.

    Raises:
        Rejected, Blocked, Unreachable, Unknown: As `SmsSender.send` has them, for all of them.
    """
    _refuse_status(answer)
    try:
        content = _content(answer.body)["SMSMessageData"]
        message, recipients = content["Message"], content["Recipients"]
    except (KeyError, TypeError):
        raise Unknown(f"HTTP {answer.status} with a body that is no answer") from None
    if recipients == []:  # a bad sender id is told this way, and by no status code
        if message == INVALID_SENDER:
            raise Blocked(f"accepted for nobody: {INVALID_SENDER}", INVALID_SENDER)
        raise Rejected("accepted for nobody: NoRecipients", "NoRecipients", alert=True)
    if not isinstance(recipients, list):
        raise Unknown("the answer is about no recipients")
    return recipients


def _outcome(recipients: Sequence[Any], number: str) -> Receipt | CallFailed:
    """What an answer says of one number among several."""
    about = [each for each in recipients if isinstance(each, dict) and each.get("number") == number]
    if len(about) != 1:
        return Unknown("the answer is not about this recipient")
    try:
        return _receipt(about[0])
    except CallFailed as failure:
        return failure


def _refuse_status(answer: Answer) -> None:
    """
    Let only successes through.

    Raises:
        Rejected, Blocked, Unreachable, Unknown: By the HTTP status alone.
    """
    status, why = answer.status, f"HTTP {answer.status}"
    if 200 <= status < 300:  # noqa: PLR2004 - successes
        return
    if status == HTTPStatus.GATEWAY_TIMEOUT:
        # What stands before the API gave up; the API may not have.
        raise Unknown(why, is_silence=True)
    if status in _HTTP_NOT_TAKEN or 500 <= status < 600:  # noqa: PLR2004 - the server's errors
        raise Unreachable(why, retry_after_seconds=_retry_after(answer.headers))
    if status in _HTTP_MOVED:
        raise Blocked(f"{why}: the API is not at the configured URL", BAD_URL)
    if status == HTTPStatus.UNAUTHORIZED:  # so is a new key, for up to twenty minutes
        raise Blocked(f"{why}: the user name or the API key is wrong", BAD_KEY)
    if status == HTTPStatus.PAYMENT_REQUIRED:
        raise Blocked(f"{why}: the account has no credit", NO_CREDIT)
    if 400 <= status < 500:  # noqa: PLR2004 - our errors
        raise Rejected(f"{why}: the API does not take such a request", "BadRequest", alert=True)
    raise Unknown(why)  # 302 and 303, say, may follow upon a message that was sent


def _receipt(recipient: dict[str, Any]) -> Receipt:
    """
    Read the one entry of `Recipients`.

    Raises:
        Rejected, Blocked, Unreachable, Unknown: By its status code.
    """
    code = _number(recipient.get("statusCode"))
    if code is None:
        raise Unknown("a recipient without a status code")
    if code in _REJECTED:
        raise Rejected(f"{code} {_REJECTED[code]}", _REJECTED[code])
    if code in _REJECTED_ALERT:
        raise Rejected(f"{code} {_REJECTED_ALERT[code]}", _REJECTED_ALERT[code], alert=True)
    if code in _BLOCKED:
        raise Blocked(f"{code} {_BLOCKED[code]}", _BLOCKED[code])
    if code in _UNREACHABLE:
        raise Unreachable(f"{code} {_UNREACHABLE[code]}")
    if code not in _ACCEPTED:
        raise Unknown(f"a status code we do not know: {code}")
    provider_id = _text(recipient.get("messageId"), _PROVIDER_ID)
    if provider_id is None or provider_id == "None":  # as failures carry it
        raise Unknown(f"{code} {_ACCEPTED[code]}, but without an id")
    cost = _text(recipient.get("cost"), _COST)
    return Receipt(
        provider_id,
        status=_ACCEPTED[code],
        parts=_number(recipient.get("messageParts")) or None,
        cost=cost,
        cost_kes=None if cost is None else _shillings(cost),
    )


def _content(body: bytes | None) -> Any:  # noqa: ANN401 - whatever JSON there is
    """Parse a body by what it is, whatever its headers call it; None if it is no JSON."""
    try:
        try:
            return json.loads(body or b"")
        except UnicodeDecodeError:  # an older charset; all that we read from it is ASCII
            return json.loads((body or b"").decode("latin-1"))
    except (ValueError, RecursionError):
        return None


def _text(value: object, form: re.Pattern[str]) -> str | None:
    return value if isinstance(value, str) and form.fullmatch(value) else None


def _number(value: object) -> int | None:
    """Read a small natural number, written as one or as its digits."""
    if not isinstance(value, int | str):
        return None
    return int(value) if re.fullmatch(r"[0-9]{1,9}", str(value)) else None


def _shillings(cost: str) -> Money | None:
    """Read `KES 0.8000`; None for another currency, or for a fraction of a cent."""
    amount = _COST_KES.fullmatch(cost)
    if amount is None:
        return None
    cents = Decimal(amount[1]) * 100
    return kes(int(cents)) if cents == int(cents) else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read how many seconds we were asked to wait (RFC 9110 §10.2.3), an hour at most."""
    asked = headers.get("Retry-After", "").strip()
    seconds: float
    if re.fullmatch(r"[0-9]{1,9}", asked):
        seconds = float(asked)
    else:
        try:
            moment = parsedate_to_datetime(asked)
        except (ValueError, OverflowError):
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _RETRY_AFTER_SECONDS_MAX)

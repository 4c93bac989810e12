"""
Sends messages through Africa's Talking.

The payload is built by the official package; the bytes travel over a transport of our own, since
the package's opens a connection per message and counts every answer as a success
(reference africastalking.md §2.4). What the answers mean: ibid. §2.1.
"""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import requests
import urllib3
from africastalking.SMS import SMSService
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection

from workers.errors import Rejected, Unknown, Unreachable
from workers.sms import Receipt, SmsSender

_E164 = re.compile(r"\+[1-9][0-9]{7,14}")
_KEY = re.compile(r"[!-~]+")
_BODY_BYTES_MAX = 64 * 1024
_ID_LENGTH_MAX = 128
_COST_LENGTH_MAX = 32
_CONNECTIONS_KEPT = 10
_RETRY_AFTER_SECONDS_MAX = 3600.0

_ACCEPTED = {100: "Processed", 101: "Sent", 102: "Queued"}
_REJECTED = {
    403: "InvalidPhoneNumber",
    404: "UnsupportedNumberType",
    406: "UserInBlacklist",
    407: "CouldNotRoute",
    409: "DoNotDisturbRejection",
}
_REJECTED_ALERT = {401: "RiskHold", 402: "InvalidSenderId", 405: "InsufficientBalance"}
_UNREACHABLE = {500: "InternalServerError", 501: "GatewayError", 502: "RejectedByGateway"}

_HTTP_NOT_TAKEN = {408, 425, 429}  # each says: I did not act on this, send it again
_HTTP_MOVED = {301, 307, 308}  # each says: I did not act on this, send it elsewhere

_TRANSPORT_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,  # urllib3's and http.client's word for a malformed request or response
)


class Timeouts(NamedTuple):
    """How long to wait to be connected, and then for an answer: together under a job's time."""

    connect_seconds: float = 3.05
    read_seconds: float = 9.0


TIMEOUTS = Timeouts()


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
        self._sender_id = sender_id
        self._api = _Api(username, api_key, url, timeouts)

    def send(self, *, to: str, text: str) -> Receipt:
        if not _E164.fullmatch(to):  # the package accepts +25471, 22 digits and a line break
            raise Rejected("the number is not in E.164")
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise Rejected("the text has half a character in it and cannot be encoded")
        answer: _Answer = self._api.send(
            text,
            [to],
            sender_id=self._sender_id,
            enqueue=True,  # False would leave the field out, and the provider's default is 1
            timeout=self._api.timeouts,
        )
        return _understand(answer)

    def close(self) -> None:
        """Hang up the pooled connections."""
        self._api.session.close()


@dataclass(frozen=True)
class _Answer:
    """An HTTP response; `body` is None where it was cut off, too long or too slow to read."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None


# ------------------------------------------------------------------------------ the transport


_wire = threading.local()
"""`written`: whether any byte of this thread's present request may have left the machine."""


class _Marked(HTTPConnection):
    """
    A connection that notes the moment a request begins to be written.

    The errors alone do not tell: a reset while greeting (TLS) and a reset after the request was
    read look the same from above, and only the first may be repeated.
    """

    def send(self, data: Any) -> None:  # noqa: ANN401 - as http.client has it
        if self.sock is None:
            self.connect()
        _wire.written = True
        super().send(data)


class _MarkedTls(_Marked, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Marked


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _MarkedTls


def _session(api_key: str) -> requests.Session:
    """A pooled session that holds the key, so that no argument or error of a call has to."""
    session = requests.Session()
    # The environment must not reroute the key (HTTP_PROXY), replace it (.netrc) or choose whom we
    # trust (REQUESTS_CA_BUNDLE): settings come from core/settings.py alone. It is also read anew
    # from disk for every request otherwise.
    session.trust_env = False
    session.headers = requests.structures.CaseInsensitiveDict(
        # A plain body, so that its size is known before it is unpacked.
        {"apiKey": api_key, "Accept-Encoding": "identity"}
    )
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # A repeated POST is a second message, so no retry of any kind. A connection the provider
    # closed while idle is noticed before it is written to, and replaced; one that closes in the
    # very moment of writing is an Unknown like any other cut.
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=_CONNECTIONS_KEPT, max_retries=0)
    adapter.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _Api(SMSService):  # type: ignore[misc]  # the package has no types
    """The package's SMS service with its addresses and its transport replaced."""

    def __init__(self, username: str, api_key: str, url: str, timeouts: Timeouts) -> None:
        self.timeouts = timeouts
        self._url = url.rstrip("/")
        self.session = _session(api_key)
        super().__init__(username, api_key)
        del self._api_key, self._headers["apiKey"]  # the session has it

    def _init_service(self) -> None:
        """Take the address from the settings; the package would guess it from the user name."""
        self._baseUrl = self._contentUrl = self._url + "/version1"

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
    ) -> _Answer:
        """
        Make the package's request once.

        Raises:
            Unreachable: Nothing of it was written.
            Unknown: It was written, at least in part, and not answered.
        """
        assert callback is None  # it would run in a bare thread and lose its errors
        _wire.written = False
        try:
            response = self.session.request(
                method,
                url,
                headers=headers,
                data=data,
                params=params,
                timeout=timeout,
                stream=True,
                allow_redirects=False,
            )
            with closing(response):
                body = _read(response, time.monotonic() + timeout.read_seconds)
            return _Answer(response.status_code, response.headers, body)
        except _TRANSPORT_ERRORS as error:
            failure = _name(error)
        # Raised out here, so that the error cannot lead back to the request and the key in it.
        if _wire.written:
            raise Unknown(f"no answer after the request was written ({failure})")
        raise Unreachable(f"no connection, nothing was written ({failure})")


def _read(response: requests.Response, deadline: float) -> bytes | None:
    """Read a body to its end, unless it is cut off, too long, or not there by the deadline."""
    body = b""
    try:
        while len(body) <= _BODY_BYTES_MAX and time.monotonic() < deadline:
            chunk = response.raw.read1(_BODY_BYTES_MAX + 1 - len(body), decode_content=True)
            if not chunk:
                return body
            body += chunk
    except _TRANSPORT_ERRORS:
        return None
    return None


def _name(error: Exception) -> str:
    """Name the innermost cause: its words may quote the request, its class never does."""
    cause = error.args[0] if error.args else None
    cause = getattr(cause, "reason", cause)
    return type(cause if isinstance(cause, Exception) else error).__name__


# ------------------------------------------------------------------------- what the answer means


def _understand(answer: _Answer) -> Receipt:
    """
    Find the receipt in an answer.

    Raises:
        Rejected, Unreachable, Unknown: As `SmsSender.send` has them.
    """
    _refuse_status(answer)
    try:
        content = _content(answer.body)["SMSMessageData"]
        message, recipients = content["Message"], content["Recipients"]
    except (KeyError, TypeError):
        raise Unknown(f"HTTP {answer.status} with a body that is no answer") from None
    if recipients == []:  # a bad sender id is told this way, and by no status code
        named = "InvalidSenderId" if message == "InvalidSenderId" else "no reason we know"
        raise Rejected(f"accepted for nobody: {named}", alert=True)
    match recipients:
        case [dict(recipient)]:
            return _receipt(recipient)
        case _:
            raise Unknown("the answer is not about one recipient")


def _refuse_status(answer: _Answer) -> None:
    """
    Let only successes through.

    Raises:
        Rejected, Unreachable, Unknown: By the HTTP status alone.
    """
    status, why = answer.status, f"HTTP {answer.status}"
    if 200 <= status < 300:  # noqa: PLR2004 - successes
        return
    if status in _HTTP_NOT_TAKEN or 500 <= status < 600:  # noqa: PLR2004 - the server's errors
        raise Unreachable(why, retry_after_seconds=_retry_after(answer.headers))
    if status in _HTTP_MOVED:
        raise Rejected(f"{why}: the API is not at the configured URL", alert=True)
    if status == http.HTTPStatus.UNAUTHORIZED:
        raise Rejected(f"{why}: the user name or the API key is wrong", alert=True)
    if 400 <= status < 500:  # noqa: PLR2004 - our errors
        raise Rejected(f"{why}: the API does not take such a request", alert=True)
    raise Unknown(why)  # 302 and 303, say, may follow upon a message that was sent


def _receipt(recipient: dict[str, Any]) -> Receipt:
    """
    Read the one entry of `Recipients`.

    Raises:
        Rejected, Unreachable, Unknown: By its status code.
    """
    code = _number(recipient.get("statusCode"))
    if code is None:
        raise Unknown("a recipient without a status code")
    if code in _REJECTED:
        raise Rejected(f"{code} {_REJECTED[code]}")
    if code in _REJECTED_ALERT:
        raise Rejected(f"{code} {_REJECTED_ALERT[code]}", alert=True)
    if code in _UNREACHABLE:
        raise Unreachable(f"{code} {_UNREACHABLE[code]}")
    if code not in _ACCEPTED:
        raise Unknown(f"a status code we do not know: {code}")
    provider_id, cost = recipient.get("messageId"), recipient.get("cost")
    if not isinstance(provider_id, str) or not 0 < len(provider_id) <= _ID_LENGTH_MAX:
        raise Unknown(f"{code} {_ACCEPTED[code]}, but without an id")
    if provider_id == "None":  # as failures carry it
        raise Unknown(f"{code} {_ACCEPTED[code]}, but without an id")
    return Receipt(
        provider_id,
        parts=_number(recipient.get("messageParts")) or None,
        cost=cost if isinstance(cost, str) and 0 < len(cost) <= _COST_LENGTH_MAX else None,
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


def _number(value: object) -> int | None:
    """Read a small natural number, written as one or as its digits."""
    return int(str(value)) if re.fullmatch(r"[0-9]{1,9}", str(value)) else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Read how many seconds we were asked to wait (RFC 9110 §10.2.3), an hour at most."""
    asked = headers.get("Retry-After", "").strip()
    seconds: float
    if re.fullmatch(r"[0-9]{1,9}", asked):
        seconds = float(asked)
    else:
        try:
            moment = parsedate_to_datetime(asked)
        except ValueError:
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _RETRY_AFTER_SECONDS_MAX)

"""
Africa's Talking's forms (reference: developers.africastalking.com, USSD and SMS callbacks).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from core import codes, msisdn
from core.codes import InvalidVoucherCode, Veil
from core.inbox import Kind
from menus import networks
from menus.sessions import HOPS_MAX, Dial

_SESSION_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")  # no ":", which ends it in keys
_SERVICE_CODE: Final = re.compile(r"\*[0-9*]{1,30}#")
_TEXT_LENGTH_MAX: Final = 2000  # what a hundred hops come to
_FIELD_LENGTH_MAX: Final = 2000

# A screen's name, as we give it: whoever forges an event could write anything there.
_SCREEN: Final = re.compile(r"[a-z]{1,20}\.[A-Z][A-Za-z]{1,30}")

# What of each callback is kept. What else comes may hold anything (`lastAppResponse`).
_ENDED: Final = (
    "date",
    "sessionId",
    "serviceCode",
    "networkCode",
    "phoneNumber",
    "status",
    "cost",
    "durationInMillis",
    "hopsCount",
    "errorMessage",
)
_DELIVERY: Final = ("id", "status", "phoneNumber", "networkCode", "failureReason", "retryCount")
_INBOUND: Final = ("id", "from", "to", "text", "date", "linkId", "cost", "networkCode")
# A PIN is four digits; a voucher's code twenty, in groups or not. So many digits in a row that they
# are no number of ours (13 at most) are a code with a slip in it, which is nearly the code.
_SECRET: Final = re.compile(r"(?<![0-9])(?:[0-9](?:[ -]?[0-9]){19}|[0-9]{14,}|[0-9]{4})(?![0-9])")
_OPTOUT: Final = ("senderId", "phoneNumber")


class NotOurWire(ValueError):
    """The form is not one that the aggregator sends."""


@dataclass(frozen=True, slots=True)
class Told:
    """A callback for the inbox: what makes its repeat harmless, and its fields."""

    kind: Kind
    key: str
    form: Mapping[str, str]


def dial(form: Mapping[str, str]) -> Dial:
    """
    Read a hop.

    Raises:
        NotOurWire: A field is missing, too long, or not of its kind.
        InvalidMsisdn: The caller's number is not E.164.
    """
    session_id, text = form.get("sessionId", ""), form.get("text")
    service_code = form.get("serviceCode", "")
    if (
        text is None
        or len(text) > _TEXT_LENGTH_MAX
        or not _SESSION_ID.fullmatch(session_id)
        or not _SERVICE_CODE.fullmatch(service_code)
    ):
        raise NotOurWire
    return Dial(
        session_id,
        msisdn.claimed(form.get("phoneNumber", "")),
        service_code,
        text,
        networks.of(form.get("networkCode", "")),
    )


def ended(form: Mapping[str, str]) -> Told:
    """
    Read how a session ended. `input` holds PINs: only its length gets past this line, and of
    `hopsMetadata` only what looks like a screen's name.

    Raises:
        NotOurWire: It names no session.
    """
    session_id = form.get("sessionId", "")
    if not _SESSION_ID.fullmatch(session_id):
        raise NotOurWire
    kept = _cut(form, _ENDED)
    kept["input"] = f"{len(form.get('input', ''))} characters"
    labels = form.get("hopsMetadata", "").split("|")[:HOPS_MAX]
    kept["hopsMetadata"] = "|".join(label for label in labels if _SCREEN.fullmatch(label))
    return Told(Kind.USSD_ENDED, session_id, kept)


def delivery(form: Mapping[str, str]) -> Told:
    """
    Read a delivery report. A repeat has the same id, status and reason.

    Raises:
        NotOurWire: It names no message.
    """
    message, status = form.get("id", ""), form.get("status", "")
    if not message or not status:
        raise NotOurWire
    said = f"{message}\n{status}\n{form.get('failureReason', '')}"
    return Told(Kind.SMS_DELIVERY, hashlib.sha256(said.encode()).hexdigest(), _cut(form, _DELIVERY))


def inbound(form: Mapping[str, str], *, veil: Veil) -> Told:
    """
    Read an SMS to us. Four digits standing alone may be a PIN: they are not kept, and of a
    voucher's code only its hash is.

    Raises:
        NotOurWire: It names no message or no sender.
    """
    message = form.get("id", "")
    if not message or not form.get("from"):
        raise NotOurWire
    kept = _cut(form, _INBOUND)
    kept["text"] = _SECRET.sub(partial(_veiled, veil=veil), kept.get("text", ""))
    return Told(Kind.SMS_INBOUND, hashlib.sha256(message.encode()).hexdigest(), kept)


def _veiled(secret: re.Match[str], *, veil: Veil) -> str:
    try:
        return codes.mention(veil.hash(codes.parse(secret.group())))
    except InvalidVoucherCode:
        return "****"


def optout(form: Mapping[str, str]) -> Told:
    """
    Read that somebody wants no promotional messages.

    Raises:
        NotOurWire: It names no number.
    """
    number = form.get("phoneNumber", "")
    if not number:
        raise NotOurWire
    said = f"{form.get('senderId', '')}\n{number}"
    return Told(Kind.SMS_OPTOUT, hashlib.sha256(said.encode()).hexdigest(), _cut(form, _OPTOUT))


def _cut(form: Mapping[str, str], fields: Sequence[str]) -> dict[str, str]:
    """The fields, none longer than any real one, and nothing in them PostgreSQL cannot hold."""
    return {
        name: form[name][:_FIELD_LENGTH_MAX].replace("\0", "") for name in fields if name in form
    }

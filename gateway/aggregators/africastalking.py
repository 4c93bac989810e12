"""
Africa's Talking's forms (reference: developers.africastalking.com, USSD and SMS callbacks).
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from core import msisdn
from core.codes import Veil
from core.inbox import Kind
from core.otp_codes import OtpKey
from gateway.veiling import veiled
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
)
_ERROR_LENGTH_MAX: Final = 200
_DELIVERY: Final = ("id", "status", "phoneNumber", "networkCode", "failureReason", "retryCount")
_INBOUND: Final = ("id", "from", "to", "text", "date", "linkId", "cost", "networkCode")
_OPTOUT: Final = ("senderId", "phoneNumber")
_SUBSCRIPTION: Final = ("phoneNumber", "shortCode", "keyword", "updateType")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}Z?")


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
    `hopsMetadata` only what looks like a screen's name. `errorMessage` may repeat what was typed:
    no digit of it does.

    Raises:
        NotOurWire: It names no session.
    """
    session_id = form.get("sessionId", "")
    if not _SESSION_ID.fullmatch(session_id):
        raise NotOurWire
    kept = _cut(form, _ENDED)
    kept["input"] = f"{len(form.get('input', ''))} characters"
    error = form.get("errorMessage", "")[:_ERROR_LENGTH_MAX].replace("\0", "")
    kept["errorMessage"] = re.sub(r"\d", "*", error)
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


def inbound(form: Mapping[str, str], *, veil: Veil, otp_key: OtpKey) -> Told:
    """
    Read an SMS to us. Of its text only what may be kept gets past this line.

    Raises:
        NotOurWire: It names no message or no sender.
    """
    message, sender = form.get("id", ""), form.get("from", "")
    if not message or not sender:
        raise NotOurWire
    text = veiled(form.get("text", ""), sender=sender, veil=veil, otp_key=otp_key)
    date = instant(form.get("date", ""))
    known = dict(form) | {"text": text} | ({"date": date.isoformat()} if date else {})
    kept = _cut(known, _INBOUND)
    return Told(Kind.SMS_INBOUND, hashlib.sha256(message.encode()).hexdigest(), kept)


def instant(date: str) -> datetime | None:
    """Read a date, which is UTC and comes in two forms; None where it is neither."""
    if not _DATE.fullmatch(date):
        return None
    try:
        return datetime.fromisoformat(date.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        return None


def optout(form: Mapping[str, str]) -> Told:
    """
    Read that somebody wants no promotional messages.

    Raises:
        NotOurWire: It names no number.
    """
    if not form.get("phoneNumber"):
        raise NotOurWire
    return Told(Kind.SMS_OPTOUT, _unlike_any(), _cut(form, _OPTOUT))


def subscription(form: Mapping[str, str]) -> Told:
    """
    Read that somebody has subscribed to a service of ours, or no longer does.

    Raises:
        NotOurWire: It names no number, or not what has changed.
    """
    if not form.get("phoneNumber") or not form.get("updateType"):
        raise NotOurWire
    return Told(Kind.SMS_SUBSCRIPTION, _unlike_any(), _cut(form, _SUBSCRIPTION))


def _unlike_any() -> str:
    """
    A key for what carries neither id nor date: the same words may be a repeat or news.

    What they do is harmless to repeat; to take the second opt-out for the first would not be.
    """
    return uuid.uuid4().hex


def _cut(form: Mapping[str, str], fields: Sequence[str]) -> dict[str, str]:
    """The fields, none longer than any real one, and nothing in them PostgreSQL cannot hold."""
    return {
        name: form[name][:_FIELD_LENGTH_MAX].replace("\0", "") for name in fields if name in form
    }

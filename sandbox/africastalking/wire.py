"""The shapes of Africa's Talking's SMS API on the wire: numbers, ids, costs, statuses, answers."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from xml.etree.ElementTree import Element, SubElement, tostring

STATUSES = {
    100: "Success",
    101: "Success",
    102: "Success",
    401: "RiskHold",
    402: "InvalidSenderId",
    403: "InvalidPhoneNumber",
    404: "UnsupportedNumberType",
    405: "InsufficientBalance",
    406: "UserInBlacklist",
    407: "CouldNotRoute",
    409: "DoNotDisturbRejection",
    500: "InternalServerError",
    501: "GatewayError",
    502: "RejectedByGateway",
}
"""Per-recipient `statusCode` and its `status`; 100 processed, 101 sent and 102 queued are good."""

_COST_PER_PART = Decimal("0.8000")

# Prefixes after +254, as the Communications Authority of Kenya assigned them.
_NETWORKS = (
    ("63902", re.compile(r"7[0-2]|74[01234568]|75[789]|76[89]|79|11")),
    ("63903", re.compile(r"73|75[0-6]|762|767|78|10")),
    ("63999", re.compile(r"76[3-6]")),
    ("63907", re.compile(r"77")),
)


def number(raw: str) -> str | None:
    """
    Read a phone number in any common form into E.164, or None when it is none.

    `0712…`, `712…`, `254712…`, `+254712…`, `00254712…`, with spaces or dashes; a `+` that a form
    has turned into a space is taken for what it was.
    """
    digits = re.sub(r"[\s().-]", "", raw)
    if digits.startswith("00"):
        digits = "+" + digits[2:]
    if re.fullmatch(r"0[17][0-9]{8}", digits):
        return "+254" + digits[1:]
    if re.fullmatch(r"[17][0-9]{8}", digits):
        return "+254" + digits
    if not digits.startswith("+"):
        digits = "+" + digits
    if digits.startswith("+254"):
        return digits if re.fullmatch(r"\+254[0-9]{9}", digits) else None
    return digits if re.fullmatch(r"\+[1-9][0-9]{7,14}", digits) else None


def network(msisdn: str) -> str:
    """Tell the `networkCode` a number belongs to; `99999` is the sandbox's own."""
    local = msisdn.removeprefix("+254")
    if local == msisdn:
        return "99999"
    return next((code for code, prefix in _NETWORKS if prefix.match(local)), "99999")


def identifier(prefix: str) -> str:
    """Make an id as the provider does, for example `ATUid_` and 32 hex digits."""
    return prefix + secrets.token_hex(16)


@dataclass(frozen=True)
class Recipient:
    """What became of one number of a send."""

    number: str
    code: int
    message_id: str
    parts: int

    @property
    def accepted(self) -> bool:
        """Whether the message is on its way: 100, 101 or 102."""
        return self.code in (100, 101, 102)

    @property
    def cost(self) -> Decimal:
        """What the send costs, in KES."""
        return _COST_PER_PART * self.parts if self.accepted else Decimal(0)

    def fields(self, *, tells_parts: bool = False) -> dict[str, object]:
        """
        Say it as the API is documented to; a refusal has no id and costs nothing.

        Some answers seen elsewhere have `messageParts`, which nobody may count on.
        """
        more = {"messageParts": self.parts if self.accepted else 0} if tells_parts else {}
        return more | {
            "statusCode": self.code,
            "number": self.number,
            "status": STATUSES[self.code],
            "cost": f"KES {self.cost:.4f}" if self.accepted else "0",
            "messageId": self.message_id if self.accepted else "None",
        }


def judge(raw: str, parts: int) -> Recipient:
    """Decide about one number as the API does: E.164 with its `+`, and one that can get SMS."""
    if not re.fullmatch(r"\+[1-9][0-9]{7,14}", raw) or number(raw) is None:
        code = 403
    elif raw.startswith("+254") and not re.match(r"\+254[17]", raw):
        code = 404  # a fixed line
    else:
        code = 101
    return Recipient(raw, code, identifier("ATXid_"), parts)


def answer(recipients: Sequence[Recipient], *, tells_parts: bool = False) -> dict[str, object]:
    """Build the body of a 201: the sum in words, then each recipient."""
    sent = sum(recipient.accepted for recipient in recipients)
    total = sum((recipient.cost for recipient in recipients), Decimal(0))
    cost = f"KES {total:.4f}" if total else "0"
    return data(
        f"Sent to {sent}/{len(recipients)} Total Cost: {cost}",
        [recipient.fields(tells_parts=tells_parts) for recipient in recipients],
    )


def data(message: str, recipients: Sequence[dict[str, object]] = ()) -> dict[str, object]:
    """Wrap a message and its recipients in the API's envelope."""
    return {"SMSMessageData": {"Message": message, "Recipients": list(recipients)}}


def xml(body: dict[str, object]) -> bytes:
    """Say the same in XML, which is what the API speaks to whoever does not ask for JSON."""

    def grow(parent: Element, name: str, value: object) -> None:
        child = SubElement(parent, name)
        if isinstance(value, dict):
            for key, inner in value.items():
                grow(child, key, inner)
        elif isinstance(value, list):
            for inner in value:
                grow(child, name.removesuffix("s"), inner)
        else:
            child.text = str(value)

    root = Element("AfricasTalkingResponse")
    for key, value in body.items():
        grow(root, key, value)
    whole: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return whole

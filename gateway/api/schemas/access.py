"""What shows who somebody is, and what they get for it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, StringConstraints

from core.access.keys import Lifetime
from core.access.principals import Permission
from core.registration import TERMS_VERSION
from core.subscribers import Tier
from gateway.api.schemas import SEEN, Sent, Told
from menus.languages import spoken

Phone = Annotated[
    str,
    StringConstraints(min_length=1, max_length=24, pattern=SEEN),
    Field(examples=["+254712345678"], description="In E.164, or as people in Kenya write it."),
]
Pin = Annotated[SecretStr, Field(min_length=4, max_length=4, description="Four digits.")]
Digits = Annotated[SecretStr, Field(min_length=6, max_length=12, description="Six digits.")]
Shown = Annotated[SecretStr, Field(min_length=1, max_length=100)]
DeviceName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=24),
    Field(
        examples=["Pixel 8"], description="Plain letters, digits and blanks: its owner reads it."
    ),
]


def _spoken(code: str) -> str:
    if code not in spoken():
        raise ValueError("there are no words in that language")
    return code


LanguageCode = Annotated[
    str,
    AfterValidator(_spoken),
    Field(examples=["sw"], json_schema_extra={"enum": [each.value for each in spoken()]}),
]


class CodeAsked(Sent):
    """Whom to send a code."""

    phone: Phone
    language: LanguageCode = "en"


class CodeSent(Told):
    """Whether or not the number has an account, a code is on its way."""

    expires_in: int = Field(description="Seconds.")


class CodeTyped(Sent):
    """A code that was sent."""

    phone: Phone
    code: Digits


class TicketTold(Told):
    """What the code was good for: a ticket to log in with, or to register."""

    ticket: str
    registered: bool = Field(description="Whether the number has an account.")
    expires_in: int = Field(description="Seconds.")


class Registering(Sent):
    """A new account."""

    ticket: Shown
    name: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=SEEN)]
    pin: Pin
    language: LanguageCode = "en"
    device: DeviceName
    terms: Literal["2026-11"] = Field(description="The version of the terms that was accepted.")


class LoggingIn(Sent):
    """A log-in: the ticket, the PIN and, where there is one, the second factor."""

    ticket: Shown
    pin: Pin
    totp: Digits | None = None
    device: DeviceName


class Refreshing(Sent):
    """The refresh token that was told last."""

    refresh_token: Shown


class PinChanging(Sent):
    """A new PIN, by who knows the old one."""

    pin: Pin
    new_pin: Pin


class Tokens(Told):
    """What an app calls with, and what it gets the next by. The refresh token is good once."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - its name in RFC 6750
    expires_in: int = Field(description="Seconds.")
    refresh_token: str
    refresh_expires_in: int = Field(description="Seconds.")
    device: str = Field(description="The id of this device.")


class Me(Told):
    """Who calls."""

    phone: str
    name: str
    wallet_number: str
    language: str
    tier: Tier = Field(description="What we know of them, which decides how much they may move.")
    second_factor: bool = Field(description="Whether they have one.")


class DeviceTold(Told):
    """A device somebody is logged in on."""

    id: str
    name: str
    here: bool = Field(description="Whether it is the one that asks.")
    second_factor: bool
    begun_at: datetime
    seen_at: datetime


class DevicesTold(Told):
    """The devices somebody is logged in on, the one seen last first."""

    devices: list[DeviceTold]


class Confirmed(Sent):
    """A PIN, by which somebody confirms what they ask for."""

    pin: Pin


class SecondFactorProposed(Told):
    """A secret, shown this once: for an authenticator to take in, or as a QR code."""

    secret: str
    uri: str


class SecondFactorTyped(Sent):
    """The six digits that an authenticator shows."""

    code: Digits


class SecondFactorRemoving(Sent):
    """Both factors: the second is given up."""

    pin: Pin
    code: Digits


class SignInBegun(Told):
    """Where to send the browser, and what to finish with. The attempt goes into no address."""

    attempt: str
    authorization_url: str
    expires_in: int = Field(description="Seconds.")


class SignInAnswered(Sent):
    """What the issuer sent back with the browser."""

    attempt: Shown
    state: Shown
    code: Annotated[SecretStr, Field(min_length=1, max_length=2000)]
    iss: Annotated[str, StringConstraints(max_length=200)] | None = None


class KeyAsked(Sent):
    """A key for a program. Confirmed by PIN and, where there is one, second factor."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=SEEN)]
    permissions: list[Literal["read", "deposit", "transfer", "withdraw"]] = Field(
        min_length=1, max_length=4
    )
    lifetime: Annotated[Lifetime, Field(strict=False)]
    pin: Pin
    totp: Digits | None = None


class KeyRolling(Sent):
    """How long the key that follows is good. Confirmed as a new one."""

    lifetime: Annotated[Lifetime, Field(strict=False)]
    pin: Pin
    totp: Digits | None = None


class KeyTold(Told):
    """A key without what makes it one."""

    id: str
    name: str
    end: str = Field(description="The last letters of the key.")
    permissions: list[Permission]
    state: Literal["good", "over", "revoked"]
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None = Field(description="To the minute.")


class KeyMade(KeyTold):
    """A new key, shown this once."""

    key: str


class KeysTold(Told):
    """All keys somebody ever had, the newest first."""

    keys: list[KeyTold]


assert TERMS_VERSION == "2026-11", "the terms that are accepted are the ones in force"

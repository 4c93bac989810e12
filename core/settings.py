"""
The one typed settings object, and the only module that reads the environment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core import seal_notes
from core.access.tokens import Keyring
from core.rail_settings import FlutterwaveAccount, PaystackAccount

_SECRET_LENGTH_MIN: Final = 16
_SECRET_CHARACTERS_MIN: Final = 8
_ORIGIN: Final = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")
_URL_SAFE: Final = re.compile(r"[A-Za-z0-9_.~-]+")

_LOWER_HEX: Final = re.compile(r"[0-9a-f]{32,128}")

NoneIfEmpty: Final = BeforeValidator(lambda given: given or None)


class AfricasTalking(BaseModel):
    """The account with Africa's Talking, and the word its callbacks must know."""

    model_config = ConfigDict(frozen=True)

    username: str = Field(min_length=1)
    api_key: SecretStr
    callback_token: SecretStr
    sender_id: Annotated[str | None, NoneIfEmpty] = None
    url: HttpUrl = HttpUrl("https://api.africastalking.com")
    per_second: int = Field(default=50, ge=1, le=1000)
    credit_least: int = Field(default=500, ge=0, le=10_000_000)


class Ussd(BaseModel):
    """How long a conversation is remembered after its last hop; whether it may be dialled ahead."""

    model_config = ConfigDict(frozen=True)

    session_ttl_seconds: int = Field(default=300, ge=200, le=3600)
    dial_ahead: bool = True


class SmsOrders(BaseModel):
    """How much somebody may move by SMS in a day, in shillings: without a code, and in all."""

    model_config = ConfigDict(frozen=True)

    unconfirmed_max: int = Field(default=500, ge=0, le=1_000_000)
    day_max: int = Field(default=5_000, ge=0, le=1_000_000)


class Webhooks(BaseModel):
    """Whether programs on this very machine may be called: in the sandbox alone."""

    model_config = ConfigDict(frozen=True)

    loopback: bool = False


def _split(given: object) -> object:
    """Read a list as one writes it in an environment: with commas."""
    return (
        [word.strip() for word in given.split(",") if word.strip()]
        if isinstance(given, str)
        else given
    )


Addresses = Annotated[tuple[IPv4Address | IPv6Address, ...], NoDecode, BeforeValidator(_split)]

# developer.safaricom.co.ke, going live. They change without notice, which is why this is a setting.
SAFARICOM: Final = (
    "196.201.214.200,196.201.214.206,196.201.214.207,196.201.214.208,196.201.213.114,196.201.213.44,"
    "196.201.212.127,196.201.212.138,196.201.212.129,196.201.212.136,196.201.212.74,196.201.212.69"
)


class Mpesa(BaseModel):
    """
    The account with Safaricom, and who may call back. Amounts are shillings.

    Where nothing of it is given there is no M-Pesa: nothing is prompted for, paid out or taken in.
    """

    model_config = ConfigDict(frozen=True)

    consumer_key: SecretStr
    consumer_secret: SecretStr
    passkey: SecretStr
    shortcode: str = Field(pattern=r"^[0-9]{5,7}$")
    payout_shortcode: Annotated[
        Annotated[str, Field(pattern=r"^[0-9]{5,7}$")] | None, NoneIfEmpty
    ] = None
    initiator: str = Field(min_length=1, max_length=50)
    initiator_password: SecretStr
    certificate: Path
    url: HttpUrl = HttpUrl("https://api.safaricom.co.ke")
    callback_url: HttpUrl
    door_token: SecretStr
    allow_list: Literal["enforce", "log", "off"] = "enforce"
    addresses: Addresses = Field(default=SAFARICOM, validate_default=True)
    when_unsure: Literal["accept", "reject"] = "reject"
    confirm_above: int = Field(default=5_000, ge=0, le=250_000)
    prompt_delay_seconds: int = Field(default=3, ge=0, le=60)
    float_least: int = Field(default=50_000, ge=0, le=1_000_000_000)
    per_second: int = Field(default=10, ge=1, le=200)

    @field_validator("door_token")
    @classmethod
    def _spells_nothing(cls, given: SecretStr) -> SecretStr:
        # Safaricom refuses addresses with certain words in them (mpesa, exe, sql …): hexadecimal
        # digits spell none of them.
        if not _LOWER_HEX.fullmatch(given.get_secret_value()):
            raise ValueError(
                "must be 32 to 128 lower-case hexadecimal digits: openssl rand -hex 32"
            )
        return given


_OF_ONES_OWN: Final = (
    *("consumer_key", "consumer_secret", "passkey", "shortcode", "initiator"),
    *("initiator_password", "certificate", "callback_url", "door_token"),
)


def _none_where_nothing_is_given(given: object) -> object:
    """
    Let there be no M-Pesa where nothing of the account is given; empty is as if not given.

    A part of an account is not: what is missing of it is told by its own name.
    """
    if not isinstance(given, Mapping):
        return given
    said = {name: word for name, word in given.items() if word != ""}
    return said if any(name in said for name in _OF_ONES_OWN) else None


def _none_without_a_client(given: object) -> object:
    """Let there be no issuer where we are no client of any; empty is as if not given."""
    if not isinstance(given, Mapping):
        return given
    said = {name: word for name, word in given.items() if word != ""}
    return said if {"client_id", "client_secret"} & set(said) else None


class Rates(BaseModel):
    """Where exchange rates come from; without an address nobody is quoted a price."""

    model_config = ConfigDict(frozen=True)

    url: Annotated[HttpUrl | None, NoneIfEmpty] = None


def _words(given: object) -> object:
    """A list, out of words with commas between them."""
    if isinstance(given, str):
        return [word for word in (each.strip() for each in given.split(",")) if word]
    return given


class Api(BaseModel):
    """The doors for programs: where they are, what signs their tokens, who may call how often."""

    model_config = ConfigDict(frozen=True)

    public_url: HttpUrl
    signing_keys: SecretStr
    origins: Annotated[frozenset[str], NoDecode, BeforeValidator(_words)] = frozenset()
    proxies: int = Field(default=0, ge=0, le=5)
    per_minute: int = Field(default=30, ge=1, le=100_000)
    second_factor_above: int = Field(default=20_000, ge=0, le=10_000_000)

    @field_validator("signing_keys")
    @classmethod
    def _are_keys(cls, given: SecretStr) -> SecretStr:
        Keyring.parse(given.get_secret_value(), issuer="")
        return given

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, given: frozenset[str]) -> frozenset[str]:
        for each in given:
            if not _ORIGIN.fullmatch(each):
                raise ValueError(f"{each} is no origin: https://app.example.com, and no more")
        return given


class Oidc(BaseModel):
    """
    An issuer of identities with whom people may sign in, and who we are there.

    Where nothing of it is given there is none.
    """

    model_config = ConfigDict(frozen=True)

    issuer: HttpUrl = HttpUrl("https://accounts.google.com")
    called: str = Field(default="Google", pattern=r"^[A-Za-z0-9 .-]{1,20}$")
    authorization_url: HttpUrl = HttpUrl("https://accounts.google.com/o/oauth2/v2/auth")
    client_id: str = Field(min_length=1)
    client_secret: SecretStr
    redirect_url: HttpUrl


class Seal(BaseModel):
    """The sealed log: its name, the key it is signed with, and where it is said outside."""

    model_config = ConfigDict(frozen=True)

    origin: str = Field(pattern=seal_notes.ORIGIN.pattern, max_length=100)
    key: SecretStr
    folder: Path

    @field_validator("key")
    @classmethod
    def _is_a_key(cls, given: SecretStr) -> SecretStr:
        seal_notes.seed_bytes(given.get_secret_value())
        return given


class Settings(BaseSettings):
    """
    Everything the environment may say, read once at start.

    A variable that is missing stops the process, and all missing ones are listed at once.
    In production whatever is fit for the sandbox only stops it too.
    """

    model_config = SettingsConfigDict(
        env_prefix="KABAMBE_",
        env_nested_delimiter="__",
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    environment: Literal["sandbox", "production"] = "production"
    database_url: SecretStr = Field(validation_alias=AliasChoices("DATABASE_URL"))
    redis_url: SecretStr = Field(validation_alias=AliasChoices("REDIS_URL"))
    pin_pepper: SecretStr
    turn_key: SecretStr
    voucher_key: SecretStr
    otp_key: SecretStr
    at_rest_key: SecretStr
    # Made of nothing where nothing is given, so that what is missing is told by its own name.
    africastalking: AfricasTalking = Field(default_factory=dict, validate_default=True)
    seal: Seal = Field(default_factory=dict, validate_default=True)
    mpesa: Annotated[Mpesa | None, BeforeValidator(_none_where_nothing_is_given)] = None
    oidc: Annotated[Oidc | None, BeforeValidator(_none_without_a_client)] = None
    paystack: PaystackAccount = None
    flutterwave: FlutterwaveAccount = None
    rates: Rates = Rates()
    api: Api = Field(default_factory=dict, validate_default=True)
    ussd: Ussd = Ussd()
    sms_orders: SmsOrders = SmsOrders()
    webhooks: Webhooks = Webhooks()

    @model_validator(mode="after")
    def _fit_for_production(self) -> Self:
        if not _URL_SAFE.fullmatch(self.africastalking.callback_token.get_secret_value()):
            raise ValueError(
                "KABAMBE_AFRICASTALKING__CALLBACK_TOKEN is part of an address:"
                " letters, digits and -_.~ only."
            )
        if self.environment == "production":
            faults = [*self._weak_secrets(), *self._sandbox_accounts()]
            for rail in (self.paystack, self.flutterwave):
                faults += rail.unfit() if rail is not None else []
            if faults:
                raise ValueError(" ".join(faults))
        return self

    def _weak_secrets(self) -> Iterator[str]:
        secrets = {
            "KABAMBE_PIN_PEPPER": self.pin_pepper,
            "KABAMBE_TURN_KEY": self.turn_key,
            "KABAMBE_VOUCHER_KEY": self.voucher_key,
            "KABAMBE_OTP_KEY": self.otp_key,
            "KABAMBE_AT_REST_KEY": self.at_rest_key,
            "KABAMBE_AFRICASTALKING__API_KEY": self.africastalking.api_key,
            "KABAMBE_AFRICASTALKING__CALLBACK_TOKEN": self.africastalking.callback_token,
            "KABAMBE_SEAL__KEY": self.seal.key,
            "KABAMBE_API__SIGNING_KEYS": self.api.signing_keys,
        }
        if self.oidc is not None:
            secrets["KABAMBE_OIDC__CLIENT_SECRET"] = self.oidc.client_secret
        if self.mpesa is not None:
            # What Safaricom gives out is theirs to choose; this one is ours.
            secrets["KABAMBE_MPESA__DOOR_TOKEN"] = self.mpesa.door_token
        words = [secret.get_secret_value() for secret in secrets.values()]
        for name, word in zip(secrets, words, strict=True):
            if (
                len(word) < _SECRET_LENGTH_MIN
                or len(set(word)) < _SECRET_CHARACTERS_MIN
                or word.startswith("sandbox")
            ):
                yield (
                    f"{name} is too short, too plain or a sandbox secret. Give it at least"
                    f" {_SECRET_LENGTH_MIN} random characters."
                )
            elif words.count(word) > 1:
                yield f"{name} is the same as another secret. Give each its own."

    def _sandbox_accounts(self) -> Iterator[str]:
        if self.africastalking.username == "sandbox":
            yield "KABAMBE_AFRICASTALKING__USERNAME is the sandbox's."
        if self.webhooks.loopback:
            yield "KABAMBE_WEBHOOKS__LOOPBACK is the sandbox's: strangers would call this machine."
        addresses = {
            "KABAMBE_AFRICASTALKING__URL": self.africastalking.url,
            "KABAMBE_RATES__URL": self.rates.url,
            "KABAMBE_API__PUBLIC_URL": self.api.public_url,
        }
        if self.oidc is not None:
            addresses |= {
                "KABAMBE_OIDC__ISSUER": self.oidc.issuer,
                "KABAMBE_OIDC__AUTHORIZATION_URL": self.oidc.authorization_url,
                "KABAMBE_OIDC__REDIRECT_URL": self.oidc.redirect_url,
            }
        if self.mpesa is not None:
            addresses["KABAMBE_MPESA__URL"] = self.mpesa.url
            addresses["KABAMBE_MPESA__CALLBACK_URL"] = self.mpesa.callback_url
        for name, url in addresses.items():
            if url is not None and url.scheme != "https":
                yield f"{name} must begin with https://."


def load() -> Settings:
    """
    Read the settings; end the process with what is wrong with which variable.

    Raises:
        SystemExit: A variable is missing or will not do. No value is shown.
    """
    try:
        return Settings()
    except ValidationError as error:
        told = []
        for each in error.errors(include_url=False, include_input=False, include_context=False):
            name = "__".join(str(part) for part in each["loc"]).upper()
            prefix = "" if not name or name in ("DATABASE_URL", "REDIS_URL") else "KABAMBE_"
            what = "is missing" if each["type"] == "missing" else each["msg"]
            told.append(f"{prefix}{name} {what}".strip())
        raise SystemExit("Kabambe cannot start. See .env.example.\n" + "\n".join(told)) from None

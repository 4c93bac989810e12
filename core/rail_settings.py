"""
The accounts with payment rails, as the environment has them. Without a key a rail is not offered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, HttpUrl, SecretStr
from pydantic_settings import NoDecode

from core.money import Currency

_SECRET_LENGTH_MIN: Final = 16


def _split(given: object) -> object:
    """Read a list as one writes it in an environment: with commas."""
    if not isinstance(given, str):
        return given
    return [word.strip().upper() for word in given.split(",") if word.strip()]


Currencies = Annotated[
    tuple[Currency, ...], NoDecode, BeforeValidator(_split), Field(min_length=1, max_length=7)
]
_EMAIL: Final = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"


class Paystack(BaseModel):
    """The account with Paystack. Its key is what its webhooks are signed with, too."""

    model_config = ConfigDict(frozen=True)

    secret_key: SecretStr
    url: HttpUrl = HttpUrl("https://api.paystack.co")
    currencies: Currencies = (Currency.NGN,)
    email: str = Field(pattern=_EMAIL, max_length=100)
    return_url: HttpUrl

    def unfit(self) -> Iterator[str]:
        """What of it will not do in production."""
        if not self.secret_key.get_secret_value().startswith("sk_live_"):
            yield "KABAMBE_PAYSTACK__SECRET_KEY is no live key: those begin with sk_live_."
        yield from _insecure("PAYSTACK", URL=self.url, RETURN_URL=self.return_url)


class Flutterwave(BaseModel):
    """The account with Flutterwave, and how its webhooks are signed."""

    model_config = ConfigDict(frozen=True)

    secret_key: SecretStr
    secret_hash: SecretStr
    signature: Literal["v3-literal", "v4-hmac", "v4-literal"] = "v3-literal"
    url: HttpUrl = HttpUrl("https://api.flutterwave.com/v3")
    currencies: Currencies = (Currency.NGN,)
    email: str = Field(pattern=_EMAIL, max_length=100)
    return_url: HttpUrl

    def unfit(self) -> Iterator[str]:
        """What of it will not do in production."""
        key = self.secret_key.get_secret_value()
        if not key.startswith("FLWSECK-"):
            yield "KABAMBE_FLUTTERWAVE__SECRET_KEY is no live key: those begin with FLWSECK-."
        word = self.secret_hash.get_secret_value()
        if len(word) < _SECRET_LENGTH_MIN or word.startswith("sandbox"):
            yield (
                "KABAMBE_FLUTTERWAVE__SECRET_HASH is too short or a sandbox secret. Give it at"
                f" least {_SECRET_LENGTH_MIN} random characters."
            )
        yield from _insecure("FLUTTERWAVE", URL=self.url, RETURN_URL=self.return_url)


def _insecure(rail: str, **addresses: HttpUrl) -> Iterator[str]:
    for name, url in addresses.items():
        if url.scheme != "https":
            yield f"KABAMBE_{rail}__{name} must begin with https://."


def _none_without_a_key(given: object) -> object:
    """
    Let there be no rail where no key of it is given; empty is as if not given.

    A part of an account is not: what is missing of it is told by its own name.
    """
    if not isinstance(given, Mapping):
        return given
    said = {name: word for name, word in given.items() if word != ""}
    return said if "secret_key" in said or "secret_hash" in said else None


PaystackAccount = Annotated[Paystack | None, BeforeValidator(_none_without_a_key)]
FlutterwaveAccount = Annotated[Flutterwave | None, BeforeValidator(_none_without_a_key)]

"""
The one typed settings object, and the only module that reads the environment.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

_SECRET_LENGTH_MIN = 16


class AfricasTalking(BaseModel):
    """The account with Africa's Talking, and the word its callbacks must know."""

    model_config = ConfigDict(frozen=True)

    username: str
    api_key: SecretStr
    callback_token: SecretStr
    sender_id: str | None = None
    url: HttpUrl = HttpUrl("https://api.africastalking.com")


class Ussd(BaseModel):
    """How long a conversation is remembered after its last hop."""

    model_config = ConfigDict(frozen=True)

    session_ttl_seconds: int = Field(default=300, ge=200, le=3600)


class Rates(BaseModel):
    """Where exchange rates come from; without an address nobody is quoted a price."""

    model_config = ConfigDict(frozen=True)

    url: Annotated[HttpUrl | None, BeforeValidator(lambda given: given or None)] = None


class Settings(BaseSettings):
    """
    Everything the environment may say, read once at start.

    A variable that is missing stops the process, and all missing ones are listed at once.
    In production a secret that is short, or is one of the sandbox's, stops it too.
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
    africastalking: AfricasTalking
    rates: Rates = Rates()
    ussd: Ussd = Ussd()

    @model_validator(mode="after")
    def _no_development_secret_in_production(self) -> Self:
        if self.environment == "production":
            secrets = {
                "KABAMBE_PIN_PEPPER": self.pin_pepper,
                "KABAMBE_TURN_KEY": self.turn_key,
                "KABAMBE_AFRICASTALKING__API_KEY": self.africastalking.api_key,
                "KABAMBE_AFRICASTALKING__CALLBACK_TOKEN": self.africastalking.callback_token,
            }
            for name, secret in secrets.items():
                word = secret.get_secret_value()
                if len(word) < _SECRET_LENGTH_MIN or word.startswith("sandbox"):
                    raise ValueError(
                        f"{name} is too short or a sandbox secret. Give it at least"
                        f" {_SECRET_LENGTH_MIN} random characters."
                    )
        return self

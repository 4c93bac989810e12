"""
What several entry points make of the settings.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from redis import Redis

from core.money import kes
from core.settings import Mpesa, Oidc
from workers.daraja import credential
from workers.daraja.client import TIMEOUTS, Account, Daraja
from workers.daraja.line import PACE, Line
from workers.daraja.token import Token
from workers.oidc import Issuer
from workers.pace import Pace


def issuer_of(told: Oidc, clock: Callable[[], datetime]) -> Issuer:
    """Get to know the issuer of identities; nothing is called yet."""
    return Issuer(
        str(told.issuer),
        client_id=told.client_id,
        client_secret=told.client_secret.get_secret_value(),
        redirect_url=str(told.redirect_url),
        clock=clock,
    )


def line_of(told: Mpesa, redis: Redis, clock: Callable[[], datetime]) -> Line:
    """
    Open the line to Safaricom; nothing is called yet.

    Raises:
        BadCertificate: The password cannot be enciphered.
    """
    url = str(told.url).rstrip("/")
    account = Account(
        shortcode=told.shortcode,
        payout_shortcode=told.payout_shortcode or told.shortcode,
        initiator=told.initiator,
        callbacks=(
            f"{str(told.callback_url).rstrip('/')}/callbacks/d/{told.door_token.get_secret_value()}"
        ),
        passkey=told.passkey.get_secret_value(),
        credential=credential.seal(told.certificate, told.initiator_password.get_secret_value()),
    )
    token = Token(
        redis,
        url=url,
        key=told.consumer_key.get_secret_value(),
        secret=told.consumer_secret.get_secret_value(),
        timeouts=TIMEOUTS,
    )
    return Line(
        client=Daraja(url=url, account=account, token=token, clock=clock),
        pace=Pace(redis, clock, per_second=told.per_second, name=PACE),
        confirm_above=kes(told.confirm_above * 100),
        float_least=kes(told.float_least * 100),
    )

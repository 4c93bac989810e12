"""
What the web makes of the settings for programs.
"""

from __future__ import annotations

from collections.abc import Callable

from redis import Redis

from core.access.tokens import Keyring
from core.at_rest import Chest
from core.seal_outside import Outside
from core.settings import Oidc, Settings
from gateway import rails
from gateway.api import limits
from gateway.api.doorkeeper import Doorkeeper
from gateway.api.edge import Api, Issuer
from gateway.api.quick_look import QuickLook
from menus.conversation import Conversation


def api_of(
    settings: Settings,
    *,
    conversation: Conversation,
    redis: Redis,
    outside: Outside,
    ring_issuers: Callable[[], None],
    ring_staff: Callable[[], None],
) -> Api:
    """Bring together what the doors for programs need."""
    told = settings.api
    keyring = Keyring.parse(told.signing_keys.get_secret_value(), issuer=str(told.public_url))
    quick = QuickLook(redis)
    return Api(
        conversation=conversation,
        principal=Doorkeeper(keyring, quick),
        keyring=keyring,
        chest=Chest(settings.at_rest_key.get_secret_value()),
        limiter=limits.limiter(redis, per_minute=told.per_minute),
        outside=outside,
        public_url=str(told.public_url).rstrip("/"),
        webhooks_loopback=settings.webhooks.loopback,
        ring_staff=ring_staff,
        issuer=None if settings.oidc is None else _issuer(settings.oidc, ring_issuers),
        origins=told.origins,
        proxies=told.proxies,
        per_minute=told.per_minute,
        second_factor_above=told.second_factor_above,
        rails=rails.offered(
            settings.paystack, settings.flutterwave, has_mpesa=settings.mpesa is not None
        ),
    )


def _issuer(told: Oidc, ring: Callable[[], None]) -> Issuer:
    return Issuer(
        name=str(told.issuer).rstrip("/"),
        called=told.called,
        authorization_url=str(told.authorization_url),
        client_id=told.client_id,
        redirect_url=str(told.redirect_url),
        ring=ring,
    )

"""`/api/v1/webhooks`: which programs are told what became of money, and what they answered."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint

from core import webhook_deliveries, webhook_news, webhooks
from core.access.principals import Permission
from core.logins import SECONDS
from core.otp_codes import InvalidOtp
from core.subscribers import Person
from core.webhook_deliveries import UnknownDelivery, WebhookDisabled
from core.webhooks import (
    EndpointState,
    InvalidWebhook,
    SecretJustRotated,
    TooManyWebhooks,
    UnknownEventType,
    UnknownWebhook,
    Webhook,
)
from gateway import problems
from gateway.api import edge, limits, paging
from gateway.api.access import needs
from gateway.api.auth import PINS, confirm_lasting
from gateway.api.description import refuses
from gateway.api.edge import Api
from gateway.api.schemas.webhooks import (
    Deliveries,
    DeliveriesWanted,
    DeliveryTold,
    DeliveryWithAttempts,
    ReplayAsked,
    Replayed,
    SecretShownOnce,
    WebhookChanged,
    WebhookConfirmed,
    WebhookMade,
    Webhooks,
    WebhookShownOnce,
    WebhookTold,
    fields,
)
from gateway.problems import Halted

TAG: Final = {
    "name": "Webhooks",
    "description": "Programs that are told what became of money, signed as Standard Webhooks.",
}


def door(api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("webhooks", __name__, url_prefix="/api/v1/webhooks", tag=TAG)
    _hang_endpoints(door, api)
    _hang_one(door, api)
    _hang_secret(door, api)
    _hang_log(door)
    _hang_replays(door, api)
    return door


def _hang_endpoints(door: APIBlueprint, api: Api) -> None:
    @door.get("")
    @needs(Permission.READ)
    @door.output(Webhooks)
    def show_webhooks() -> Webhooks:
        """Show one's webhooks."""
        found = webhooks.listed(edge.reading(), subscriber=edge.person().id)
        return Webhooks(webhooks=[WebhookTold.of(each) for each in found])

    @door.post("")
    @needs(Permission.OWN)
    @refuses(
        *(InvalidWebhook, UnknownEventType, TooManyWebhooks),
        *(InvalidOtp, *PINS, *SECONDS),
    )
    @door.input(WebhookMade)
    @door.output(WebhookShownOnce, 201)
    def add_webhook(json_data: WebhookMade) -> WebhookShownOnce:
        """Have a program told from now on. Its secret is shown this once."""
        person = edge.person()
        confirm_lasting(api, person, json_data.pin, json_data.totp)
        with edge.kept() as session:
            made, secret = webhooks.add(
                session,
                subscriber=person.id,
                url=json_data.url,
                description=json_data.description,
                types=json_data.types,
                loopback=api.webhooks_loopback,
                chest=api.chest,
                actor=edge.actor(person),
                now=edge.now(),
            )
            webhook_news.tell(session, person=person, url=made.url, now=edge.now())
        return WebhookShownOnce(**fields(made), secret=secret)


def _hang_one(door: APIBlueprint, api: Api) -> None:
    @door.get("/<id>")
    @needs(Permission.READ)
    @refuses(UnknownWebhook)
    @door.output(WebhookTold)
    def show_webhook(id: str) -> WebhookTold:  # noqa: A002 - as the address has it
        """Show a webhook."""
        return WebhookTold.of(_find(id))

    @door.patch("/<id>")
    @needs(Permission.OWN)
    @refuses(
        *(UnknownWebhook, InvalidWebhook, UnknownEventType),
        *(InvalidOtp, *PINS, *SECONDS),
    )
    @door.input(WebhookChanged)
    @door.output(WebhookTold)
    def change_webhook(id: str, json_data: WebhookChanged) -> WebhookTold:  # noqa: A002 - as above
        """
        Change a webhook, or turn it off and on. What it misses can be replayed.

        Whoever changes what it is told, or where, confirms that as a new one.
        """
        person = edge.person()
        asked = _otherwise(json_data, _find(id))
        is_elsewhere = asked.url is not None
        if is_elsewhere or asked.types is not None or asked.active is not None:
            _confirm(api, person, asked)
        with edge.kept() as session:
            changed = webhooks.change(
                session,
                subscriber=person.id,
                code=id,
                url=asked.url,
                description=asked.description,
                types=asked.types,
                is_active=asked.active,
                loopback=api.webhooks_loopback,
                actor=edge.actor(person),
                now=edge.now(),
            )
            if is_elsewhere:
                webhook_news.tell(session, person=person, url=changed.url, now=edge.now())
        return WebhookTold.of(changed)

    @door.delete("/<id>")
    @needs(Permission.OWN)
    @refuses(UnknownWebhook, InvalidOtp, *PINS, *SECONDS)
    @door.input(WebhookConfirmed)
    @door.output({}, status_code=204)
    def remove_webhook(id: str, json_data: WebhookConfirmed) -> str:  # noqa: A002 - as above
        """Remove a webhook for good."""
        person = edge.person()
        _find(id)
        confirm_lasting(api, person, json_data.pin, json_data.totp)
        with edge.kept() as session:
            webhooks.remove(
                session,
                subscriber=person.id,
                code=id,
                actor=edge.actor(person),
                now=edge.now(),
            )
        return ""


def _hang_secret(door: APIBlueprint, api: Api) -> None:
    @door.post("/<id>/secret")
    @needs(Permission.OWN)
    @refuses(UnknownWebhook, SecretJustRotated, InvalidOtp, *PINS, *SECONDS)
    @door.input(WebhookConfirmed)
    @door.output(SecretShownOnce, 201)
    def rotate_secret(id: str, json_data: WebhookConfirmed) -> SecretShownOnce:  # noqa: A002 - as above
        """Give a webhook another secret, shown this once. For a day both sign, and it stays."""
        person = edge.person()
        found = _find(id)
        confirm_lasting(api, person, json_data.pin, json_data.totp)
        with edge.kept() as session:
            secret, until = webhooks.rotate(
                session,
                subscriber=person.id,
                code=id,
                chest=api.chest,
                actor=edge.actor(person),
                now=edge.now(),
            )
            webhook_news.tell(session, person=person, url=found.url, now=edge.now())
        return SecretShownOnce(secret=secret, both_sign_until=until)


def _hang_log(door: APIBlueprint) -> None:
    @door.get("/<id>/deliveries")
    @needs(Permission.READ)
    @refuses(UnknownWebhook)
    @door.input(DeliveriesWanted, location="query")
    @door.output(Deliveries)
    def show_deliveries(id: str, query_data: DeliveriesWanted) -> Deliveries:  # noqa: A002 - as above
        """Show what a webhook was told, the newest first."""
        found = webhook_deliveries.listed(
            edge.reading(),
            webhook=_find(id),
            state=query_data.state,
            before=paging.number(query_data.cursor),
            count=query_data.limit,
        )
        last = found[-1].cursor if len(found) == query_data.limit else None
        return Deliveries(
            deliveries=[DeliveryTold.of(each) for each in found], next=paging.cursor(last)
        )

    @door.get("/<id>/deliveries/<delivery>")
    @needs(Permission.READ)
    @refuses(UnknownWebhook, UnknownDelivery)
    @door.output(DeliveryWithAttempts)
    def show_delivery(id: str, delivery: str) -> DeliveryWithAttempts:  # noqa: A002 - as above
        """Show one thing that a webhook was told, and every attempt at it."""
        found = webhook_deliveries.find(edge.reading(), webhook=_find(id), code=delivery)
        tried = webhook_deliveries.tried(edge.reading(), delivery=found)
        return DeliveryWithAttempts.with_attempts(found, tried)


def _hang_replays(door: APIBlueprint, api: Api) -> None:
    @door.post("/<id>/deliveries/<delivery>/replay")
    @needs(Permission.OWN)
    @limits.calls_out(api)
    @refuses(UnknownWebhook, UnknownDelivery, WebhookDisabled)
    @door.output(DeliveryTold, 202)
    def replay_delivery(id: str, delivery: str) -> DeliveryTold:  # noqa: A002 - as above
        """Tell one thing again, under the same id."""
        again = webhook_deliveries.replay(
            edge.session(), webhook=_find(id), code=delivery, now=edge.now()
        )
        return DeliveryTold.of(again)

    @door.post("/<id>/replay")
    @needs(Permission.OWN)
    @limits.calls_out(api)
    @refuses(UnknownWebhook, WebhookDisabled)
    @door.input(ReplayAsked)
    @door.output(Replayed, 202)
    def replay_since(id: str, json_data: ReplayAsked) -> Replayed:  # noqa: A002 - as above
        """Tell again what never arrived since an instant, or all of it."""
        count = webhook_deliveries.replay_since(
            edge.session(),
            webhook=_find(id),
            since=json_data.since,
            delivered_too=json_data.delivered_too,
            now=edge.now(),
        )
        return Replayed(count=count)

    @door.post("/<id>/test")
    @needs(Permission.OWN)
    @limits.calls_out(api)
    @refuses(UnknownWebhook, WebhookDisabled)
    @door.output(DeliveryTold, 202)
    def test_webhook(id: str) -> DeliveryTold:  # noqa: A002 - as above
        """Tell a webhook something that means nothing, to see whether it listens."""
        return DeliveryTold.of(
            webhook_deliveries.test(edge.session(), webhook=_find(id), now=edge.now())
        )


def _otherwise(asked: WebhookChanged, before: Webhook) -> WebhookChanged:
    """Leave out of a change what is so already, which wants no proof, and does not change it."""
    is_active = before.state is EndpointState.ACTIVE
    same = {
        "url": asked.url == before.url,
        "types": asked.types is not None and set(asked.types) == set(before.types),
        "active": asked.active is is_active,
    }
    return asked.model_copy(update={name: None for name, is_same in same.items() if is_same})


def _confirm(api: Api, person: Person, asked: WebhookChanged) -> None:
    if asked.pin is None:
        raise Halted(
            problems.INVALID_REQUEST,
            errors=[{"in": "json", "field": "pin", "fault": "What it is told wants the PIN"}],
        )
    confirm_lasting(api, person, asked.pin, asked.totp)


def _find(code: str) -> Webhook:
    return webhooks.find(edge.reading(), subscriber=edge.person().id, code=code)

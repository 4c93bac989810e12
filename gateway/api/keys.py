"""`/api/v1/api-keys`: keys by which programs act for a person."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint

from core.access import keys
from core.access.keys import ApiKey, Made
from core.access.principals import Permission
from core.logins import SECONDS
from core.otp_codes import InvalidOtp
from gateway.api import edge
from gateway.api.access import needs
from gateway.api.auth import PINS, confirm_lasting
from gateway.api.description import refuses
from gateway.api.edge import Api
from gateway.api.schemas.access import KeyAsked, KeyMade, KeyRolling, KeysTold, KeyTold

TAG: Final = {"name": "API keys", "description": "Keys for programs that act for a person."}


def door(api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("keys", __name__, url_prefix="/api/v1/api-keys", tag=TAG)
    _hang_making(door, api)

    @door.get("")
    @needs(Permission.OWN)
    @door.output(KeysTold)
    def list_keys() -> KeysTold:
        """Show all keys the caller ever had, and when each was used last."""
        found = keys.listed(edge.reading(), subscriber=edge.person().id)
        return KeysTold(keys=[_told(each) for each in found])

    @door.delete("/<id>")
    @needs(Permission.OWN)
    @door.output({}, status_code=204)
    @refuses(keys.UnknownApiKey)
    def revoke_key(id: str) -> str:  # noqa: A002 - as the address has it
        """End a key, at once."""
        person = edge.person()
        keys.revoke(
            edge.session(),
            subscriber=person.id,
            public_id=id,
            actor=edge.actor(person),
            now=edge.now(),
        )
        return ""

    return door


def _hang_making(door: APIBlueprint, api: Api) -> None:
    @door.post("")
    @needs(Permission.OWN)
    @door.input(KeyAsked, arg_name="asked")
    @door.output(KeyMade, status_code=201)
    @refuses(keys.InvalidApiKey, keys.TooManyApiKeys, InvalidOtp, *PINS, *SECONDS)
    def make_key(asked: KeyAsked) -> KeyMade:
        """Make a key, shown this once. At most five are good at once."""
        person = edge.person()
        confirm_lasting(api, person, asked.pin, asked.totp)
        with edge.kept() as session:
            made = keys.make(
                session,
                person=person,
                name=asked.name,
                permissions=map(Permission, asked.permissions),
                lifetime=asked.lifetime,
                actor=edge.actor(person),
                now=edge.now(),
            )
        return _made(made)

    @door.post("/<id>/rollover")
    @needs(Permission.OWN)
    @door.input(KeyRolling, arg_name="asked")
    @door.output(KeyMade, status_code=201)
    @refuses(
        keys.UnknownApiKey, keys.ApiKeyNotOver, keys.TooManyApiKeys, InvalidOtp, *PINS, *SECONDS
    )
    def roll_key_over(id: str, asked: KeyRolling) -> KeyMade:  # noqa: A002 - as the address has it
        """Let a key whose time is over be followed by one with the same permissions."""
        person = edge.person()
        confirm_lasting(api, person, asked.pin, asked.totp)
        with edge.kept() as session:
            made = keys.roll_over(
                session,
                person=person,
                public_id=id,
                lifetime=asked.lifetime,
                actor=edge.actor(person),
                now=edge.now(),
            )
        return _made(made)


def _made(made: Made) -> KeyMade:
    return KeyMade(key=made.key, **_told(made.row).model_dump())


def _told(row: ApiKey) -> KeyTold:
    over = "over" if row.expires_at <= edge.now() else "good"
    return KeyTold(
        id=row.public_id,
        name=row.name,
        end=row.end,
        permissions=[Permission(each) for each in row.permissions],
        state="revoked" if row.revoked_at is not None else over,
        made_at=row.made_at,
        expires_at=row.expires_at,
        used_at=row.used_at,
    )

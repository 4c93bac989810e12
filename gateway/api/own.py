"""`/api/v1/me`, `/devices`, `/totp`: who calls, where they are logged in, their second factor."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint

from core import subscribers
from core.access import devices, totp
from core.access.principals import Permission
from core.logins import SECONDS
from core.otp_codes import InvalidOtp
from gateway.api import edge
from gateway.api.access import needs
from gateway.api.auth import PINS, confirm_lasting, confirm_pin
from gateway.api.description import refuses
from gateway.api.edge import Api
from gateway.api.schemas.access import (
    Confirmed,
    DevicesTold,
    DeviceTold,
    Me,
    SecondFactorProposed,
    SecondFactorRemoving,
    SecondFactorTyped,
)

TAG: Final = {"name": "Own", "description": "Who calls, and who may act for them."}


def door(api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("own", __name__, url_prefix="/api/v1", tag=TAG)
    _me(door)
    _devices(door)
    _second_factor(door, api)
    return door


def _me(door: APIBlueprint) -> None:
    @door.get("/me")
    @needs(Permission.READ)
    @door.output(Me)
    def me() -> Me:
        """Show whose account this is."""
        person = edge.person()
        return Me(
            phone=person.msisdn,
            name=person.name,
            wallet_number=person.wallet_number,
            language=person.language.value,
            tier=subscribers.tier_of(edge.reading(), subscriber=person.id),
            second_factor=totp.is_set(edge.reading(), subscriber=person.id),
        )


def _devices(door: APIBlueprint) -> None:
    @door.get("/devices")
    @needs(Permission.OWN)
    @door.output(DevicesTold)
    def list_devices() -> DevicesTold:
        """Show the devices the caller is logged in on."""
        caller = edge.principal()
        there = devices.standing(edge.reading(), subscriber=edge.person().id, now=edge.now())
        return DevicesTold(
            devices=[
                DeviceTold(
                    id=each.public_id,
                    name=each.name,
                    here=each.id == caller.device,
                    second_factor=each.second_factor,
                    begun_at=each.begun_at,
                    seen_at=each.seen_at,
                )
                for each in there
            ]
        )

    @door.delete("/devices/<id>")
    @needs(Permission.OWN)
    @door.output({}, status_code=204)
    @refuses(devices.UnknownDevice)
    def remove_device(id: str) -> str:  # noqa: A002 - as the address has it
        """Log a device of the caller's out, at once."""
        person = edge.person()
        devices.remove(
            edge.session(),
            subscriber=person.id,
            public_id=id,
            actor=edge.actor(person),
            now=edge.now(),
        )
        return ""


def _second_factor(door: APIBlueprint, api: Api) -> None:
    @door.post("/totp")
    @needs(Permission.OWN)
    @door.input(Confirmed, arg_name="given")
    @door.output(SecondFactorProposed, status_code=201)
    @refuses(totp.SecondFactorSet, *PINS)
    def propose_second_factor(given: Confirmed) -> SecondFactorProposed:
        """Make a second factor, shown this once. It counts once its first code is confirmed."""
        person = edge.person()
        confirm_pin(api, person, given.pin)
        made = totp.propose(edge.session(), person=person, chest=api.chest, now=edge.now())
        return SecondFactorProposed(secret=made.secret, uri=made.address)

    @door.post("/totp/confirm")
    @needs(Permission.OWN)
    @door.input(SecondFactorTyped, arg_name="given")
    @door.output({}, status_code=204)
    @refuses(InvalidOtp, totp.NoSecondFactor, totp.SecondFactorWrong)
    def confirm_new_second_factor(given: SecondFactorTyped) -> str:
        """Let the second factor count from now on."""
        person = edge.person()
        totp.confirm(
            edge.session(),
            person=person,
            typed=given.code.get_secret_value(),
            chest=api.chest,
            actor=edge.actor(person),
            now=edge.now(),
        )
        return ""

    @door.post("/totp/remove")
    @needs(Permission.OWN)
    @door.input(SecondFactorRemoving, arg_name="given")
    @door.output({}, status_code=204)
    @refuses(InvalidOtp, totp.NoSecondFactor, *PINS, *SECONDS)
    def remove_second_factor(given: SecondFactorRemoving) -> str:
        """Do without the second factor, by who shows both."""
        person = edge.person()
        confirm_lasting(api, person, given.pin, given.code)
        totp.remove(edge.session(), person=person, actor=edge.actor(person), now=edge.now())
        return ""

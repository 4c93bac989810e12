"""`/api/v1/auth`: sign up and log in by phone and PIN, stay logged in, log out, change the PIN."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from apiflask import APIBlueprint
from flask import g, request
from pydantic import SecretStr

from core import logins, msisdn, naming, otp, pins
from core.access import devices, refreshes, tickets, tries
from core.access import tokens as access_tokens
from core.access.principals import NotAuthenticated, Permission
from core.access.refreshes import Opened
from core.audit import Actor
from core.logins import Factors
from core.otp_codes import InvalidOtp
from core.subscribers import AccountClosed, AlreadyRegistered, ClosedLately, Language, Person
from gateway import problems
from gateway.api import edge, limits
from gateway.api.access import may_be_keyed, needs, public
from gateway.api.description import refuses
from gateway.api.edge import Api
from gateway.api.schemas.access import (
    CodeAsked,
    CodeSent,
    CodeTyped,
    LoggingIn,
    PinChanging,
    Refreshing,
    Registering,
    TicketTold,
    Tokens,
)
from gateway.problems import Halted

TAG: Final = {"name": "Auth", "description": "Show who you are, and stay logged in."}
_INVALID: Final = {"WWW-Authenticate": 'Bearer error="invalid_token"'}

PINS: Final = (pins.InvalidPin, pins.WrongPin, pins.PinLocked, AccountClosed, tries.LogInLocked)


def door(api: Api) -> APIBlueprint:
    """Hang the routes."""
    door = APIBlueprint("auth", __name__, url_prefix="/api/v1/auth", tag=TAG)
    _codes(door, api)
    _entries(door, api)
    _stays(door, api)
    return door


def _codes(door: APIBlueprint, api: Api) -> None:
    talk = api.conversation

    @door.post("/otp")
    @public
    @limits.counted_by("phone")
    @limits.codes(api)
    @door.input(CodeAsked, arg_name="asked")
    @door.output(CodeSent, status_code=202)
    @refuses(msisdn.InvalidMsisdn, otp.TooManyOtps, tries.LogInLocked)
    def send_code(asked: CodeAsked) -> CodeSent:
        """Send a code to a number, to log in or to register with. The answer tells not which."""
        logins.send_code(
            edge.session(),
            msisdn=msisdn.parse(asked.phone),
            language=Language(asked.language),
            key=talk.otp_key,
            address=request.remote_addr,
            now=edge.now(),
        )
        return CodeSent(expires_in=_seconds(otp.LIVES))

    @door.post("/otp/verify")
    @public
    @limits.counted_by("phone")
    @door.input(CodeTyped, arg_name="typed")
    @door.output(TicketTold)
    @refuses(
        msisdn.InvalidMsisdn,
        InvalidOtp,
        otp.NoOtp,
        otp.OtpWrong,
        otp.OtpSpent,
        otp.OtpExpired,
        otp.OtpUsed,
        tries.LogInLocked,
    )
    def verify_code(typed: CodeTyped) -> TicketTold:
        """Take a code for a ticket, with which to log in or to register within ten minutes."""
        number = msisdn.parse(typed.phone)
        with edge.recorded() as session:
            entered = logins.enter_code(
                session,
                msisdn=number,
                typed=typed.code.get_secret_value(),
                key=talk.otp_key,
                actor=_stranger(number),
                now=edge.now(),
            )
        return TicketTold(
            ticket=entered.ticket,
            registered=entered.is_registered,
            expires_in=_seconds(tickets.LIVES),
        )


def _entries(door: APIBlueprint, api: Api) -> None:
    talk = api.conversation

    @door.post("/register")
    @public
    @limits.counted_by("ticket")
    @door.input(Registering, arg_name="given")
    @door.output(Tokens, status_code=201)
    @refuses(
        tickets.TicketOver,
        naming.InvalidName,
        pins.InvalidPin,
        pins.WeakPin,
        devices.InvalidDeviceName,
        AlreadyRegistered,
        ClosedLately,
    )
    def register(given: Registering) -> Tokens:
        """Open an account for the number of a ticket, and log in."""
        opened = logins.sign_up(
            edge.session(),
            ticket=given.ticket.get_secret_value(),
            name=naming.parse_name(given.name),
            language=Language(given.language),
            pin=pins.choose(given.pin.get_secret_value()),
            device=devices.parse_name(given.device),
            hasher=talk.hasher,
            actor=_stranger("nobody yet"),
            now=edge.now(),
        )
        return _tokens(api, opened)

    @door.post("/login")
    @public
    @limits.counted_by("ticket")
    @door.input(LoggingIn, arg_name="given")
    @door.output(Tokens)
    @refuses(tickets.TicketOver, devices.InvalidDeviceName, InvalidOtp, *PINS, *logins.SECONDS)
    def log_in(given: LoggingIn) -> Tokens:
        """Log in with a ticket, the PIN and, where there is one, the second factor."""
        name = devices.parse_name(given.device)
        second = None if given.totp is None else given.totp.get_secret_value()
        with edge.recorded() as session:
            opened = logins.log_in(
                session,
                ticket=given.ticket.get_secret_value(),
                factors=Factors(given.pin.get_secret_value(), second),
                device=name,
                hasher=talk.hasher,
                chest=api.chest,
                actor=_stranger("nobody yet"),
                now=edge.now(),
            )
        return _tokens(api, opened)


def _stays(door: APIBlueprint, api: Api) -> None:
    @door.post("/refresh")
    @public
    @may_be_keyed
    @limits.counted_by("refresh_token")
    @door.input(Refreshing, arg_name="given")
    @door.output(Tokens)
    @refuses(problems.NOT_KNOWN, refreshes.RefreshUnderWay)
    def refresh(given: Refreshing) -> Tokens:
        """
        Take a refresh token for the next, and an access token.

        Each is good once: one that is used again ends the log-in. With the same `Idempotency-Key`
        an answer that was lost can be had again for two minutes.
        """
        again = request.headers.get("Idempotency-Key")
        try:
            with edge.recorded() as session:
                opened = refreshes.refresh(
                    session,
                    token=given.refresh_token.get_secret_value(),
                    again=again or None,
                    chest=api.chest,
                    actor=_stranger("refresh"),
                    now=edge.now(),
                )
        except NotAuthenticated:
            raise Halted(problems.NOT_KNOWN, headers=_INVALID) from None
        return _tokens(api, opened)

    @door.post("/logout")
    @needs(Permission.OWN)
    @door.output({}, status_code=204)
    def log_out() -> str:
        """Log out here, at once: neither token is good any more."""
        person, device = edge.person(), edge.principal().device
        assert device is not None, "whoever owns is on a device"
        devices.log_out(
            edge.session(),
            subscriber=person.id,
            device=device,
            actor=edge.actor(person),
            now=edge.now(),
        )
        return ""

    @door.post("/pin")
    @needs(Permission.OWN)
    @door.input(PinChanging, arg_name="given")
    @door.output(Tokens)
    @refuses(pins.WeakPin, *PINS)
    def change_pin(given: PinChanging) -> Tokens:
        """Change the PIN. Every device is logged out at once; this one is told new tokens."""
        person, device = edge.person(), edge.principal().device
        assert device is not None, "whoever owns is on a device"
        new = pins.choose(given.new_pin.get_secret_value())
        confirm_pin(api, person, given.pin)
        opened = logins.change_pin(
            edge.session(),
            person=person,
            pin=new,
            device=device,
            hasher=api.conversation.hasher,
            actor=edge.actor(person),
            now=edge.now(),
        )
        return _tokens(api, opened)


def confirm_pin(api: Api, person: Person, pin: SecretStr) -> None:
    """
    Let the person who calls confirm what they ask for. A wrong try stays counted.

    Raises:
        InvalidPin, WrongPin, PinLocked, LogInLocked, AccountClosed: As `logins.check_pin`.
    """
    with edge.recorded() as session:
        logins.check_pin(
            session,
            person=person,
            typed=pin.get_secret_value(),
            hasher=api.conversation.hasher,
            actor=edge.actor(person),
            now=edge.now(),
        )


def confirm_second_factor(api: Api, person: Person, code: SecretStr | None) -> bool:
    """
    Let the person who calls show their second factor; say whether they have one. A wrong try stays
    counted.

    Raises:
        InvalidOtp, SecondFactorNeeded, SecondFactorWrong, LogInLocked: As
            `logins.check_second_factor`.
    """
    with edge.recorded() as session:
        return logins.check_second_factor(
            session,
            person=person,
            typed=None if code is None else code.get_secret_value(),
            chest=api.chest,
            actor=edge.actor(person),
            now=edge.now(),
        )


def confirm_lasting(api: Api, person: Person, pin: SecretStr, code: SecretStr | None) -> None:
    """
    Let them show both, for what outlasts the quarter of an hour that a stolen token is good for.

    Raises:
        DomainError: As `confirm_pin` and `confirm_second_factor`.
    """
    confirm_pin(api, person, pin)
    confirm_second_factor(api, person, code)


def _tokens(api: Api, opened: Opened) -> Tokens:
    now = edge.now()
    signed = api.keyring.sign(opened.public_id, now=now)
    return Tokens(
        access_token=signed.token,
        expires_in=_seconds(access_tokens.LIVES),
        refresh_token=opened.refresh,
        refresh_expires_in=_seconds(opened.refresh_until - now),
        device=opened.public_id,
    )


def _stranger(name: str) -> Actor:
    """Who is not known yet, by the address they call from."""
    return Actor(name, request.remote_addr or "app", g.request_id)


def _seconds(lasts: timedelta) -> int:
    return int(lasts.total_seconds())

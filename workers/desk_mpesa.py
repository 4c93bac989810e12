"""
`python -m workers.desk_mpesa mpesa …`: what staff see of M-Pesa, ask it, and decide.
"""

from __future__ import annotations

import argparse
import getpass
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from redis import Redis
from sqlalchemy import text

from core import inquiries, merchants, rail_rows, rails, resolutions
from core.inquiries import Kind, State
from core.money import Currency, Money
from core.rails import Pot, Provider
from core.settings import load
from workers import composing, desk_suspense, reconcile
from workers.bills import Misread
from workers.daraja.credential import BadCertificate
from workers.daraja.line import Line
from workers.daraja.statement import OrganisationStatement
from workers.desk import signature, sit
from workers.desk_seat import Desk, Unfit
from workers.errors import CallFailed
from workers.mpesa import questions, taking
from workers.mpesa.breaker import bars_questions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.db import Databases

_ANSWER_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class _Asker:
    """What asking a question needs, as the jobs have it."""

    databases: Databases
    clock: Callable[[], datetime]


@contextmanager
def _line() -> Iterator[Line]:
    """
    Open the line to Safaricom for one command.

    Raises:
        Unfit: There is none.
    """
    settings = load()
    if settings.mpesa is None:
        raise Unfit("There is no M-Pesa here: KABAMBE_MPESA__… is not set (docs/mpesa.md).")
    with closing(Redis.from_url(settings.redis_url.get_secret_value())) as redis:
        try:
            line = composing.line_of(settings.mpesa, redis, lambda: datetime.now(UTC))
        except BadCertificate as error:
            raise Unfit(str(error)) from None
        with closing(line.client):
            try:
                yield line
            except CallFailed as failure:
                raise Unfit(f"{type(failure).__name__}: {failure.why}") from None


def _see_initiator(desk: Desk) -> None:
    """
    See that our initiator may ask.

    Raises:
        Unfit: It is broken: each try would lock it sooner.
    """
    if desk.do(lambda session: bars_questions(session, now=desk.now)):
        raise Unfit("Our initiator is broken (`breaker show`): mend it, then `breaker close`.")


def _asker(desk: Desk) -> _Asker:
    return _Asker(desk.databases, lambda: datetime.now(UTC))


def _answered(desk: Desk, subject: str, kind: Kind) -> bool:
    """Wait a moment for the answer to what was just asked; whether it has come."""
    ends = time.monotonic() + _ANSWER_SECONDS
    while time.monotonic() < ends:
        found = desk.do(lambda session: inquiries.newest(session, subject=subject, kind=kind))
        if found is not None and found.state in {State.ANSWERED, State.FAILED}:
            return True
        time.sleep(_POLL_SECONDS)
    return False


def _await_status(desk: Desk, subject: str) -> None:
    """
    Wait a moment until Safaricom has said what became of something.

    Raises:
        Unfit: It has not yet.
    """
    if not _answered(desk, subject, Kind.STATUS):
        raise Unfit("Safaricom has not answered yet; what it says is acted on when it does.")


def _rows(desk: Desk, given: argparse.Namespace) -> None:  # noqa: ARG001 - as all commands
    found = desk.do(lambda session: rail_rows.under_way(session, provider=Provider.MPESA))
    for row in found:
        print(
            f"{row.what}  {row.reference}  {row.state}  {row.amount}  {row.number}"
            f"  {row.at:%F %T}Z  {row.receipt}{row.code}".rstrip()
        )
    if not found:
        print("Nothing is under way.")


def _reverse(desk: Desk, given: argparse.Namespace) -> None:
    _see_initiator(desk)
    with _line() as line:
        back = desk.do_with_money(
            lambda session: resolutions.begin_return(
                session, case=given.case, actor=desk.actor, note=given.why, now=desk.now
            )
        )
        amount = Money(back.amount, Currency.KES)
        subject = f"{questions.REVERSAL}:{back.case}"
        if not questions.reversal(
            _asker(desk), line, case=back.case, receipt=back.receipt, amount=amount
        ):
            is_open = desk.do(
                lambda session: resolutions.return_failed(
                    session, case=back.case, why="Safaricom did not take it", now=desk.now
                )
            )
            if is_open:
                raise Unfit("Safaricom did not take it: the case is open as before.")
            raise Unfit(
                "Safaricom did not take it, but may have carried out what it was asked before:"
                " the case stays on its way back. Look for the reversal in the statement."
            )
    has_come = _answered(desk, subject, Kind.REVERSAL)
    print(f"Case {given.case}: Safaricom {'has answered' if has_come else 'was asked'}.")
    desk_suspense.show(desk, given)


def _returning(desk: Desk, given: argparse.Namespace) -> None:
    _see_initiator(desk)
    doubted = desk.do(lambda session: resolutions.in_doubt(session, case=given.case))
    if not doubted:
        raise Unfit("No asking that Safaricom took is in doubt: `reverse` asks for it again.")
    with _line() as line:
        for put in doubted:
            assert put.provider_ref is not None, "Safaricom took it"
            if not questions.of_reversal(
                _asker(desk), line, case=given.case, inquiry=put.id, conversation=put.provider_ref
            ):
                raise Unfit("Safaricom did not take the question.")
    for put in doubted:
        _await_status(desk, f"{questions.REVERSAL}:{given.case}:{put.id}")
    desk_suspense.show(desk, given)


def _float(desk: Desk, given: argparse.Namespace) -> None:  # noqa: ARG001 - as all commands
    for pot in (Pot.UTILITY, Pot.PAYBILL):
        ask = partial(
            rails.told_balance, provider=Provider.MPESA, account=pot.value, currency=Currency.KES
        )
        told = desk.do(ask)
        if told is None:
            print(f"{pot.value}: Safaricom has not said yet.")
        else:
            print(f"{pot.value}: {told[0]}, as Safaricom said {told[1]:%F %T}Z.")


def _move_float(desk: Desk, given: argparse.Namespace) -> None:
    amount = Money.parse(given.amount, Currency.KES)
    if given.source == given.target:
        raise Unfit("It goes from one to another.")
    desk.do_with_money(
        lambda session: rails.move(
            session,
            amount=amount,
            source=Pot(given.source),
            target=Pot(given.target),
            key=given.key,
            actor=desk.actor,
            note=given.why,
            now=desk.now,
        )
    )
    print(f"{amount} went from {given.source} to {given.target}.")


def _balance(desk: Desk, given: argparse.Namespace) -> None:
    _see_initiator(desk)
    with _line() as line:
        account = line.client.account
        if not questions.balance(_asker(desk), line, of_payouts=True):
            raise Unfit("Safaricom did not take the question.")
    _answered(desk, f"{questions.FLOAT}:{account.payout_shortcode}", Kind.BALANCE)
    _float(desk, given)


def _status(desk: Desk, given: argparse.Namespace) -> None:
    _see_initiator(desk)
    find = text("SELECT id, conversation FROM withdrawals WHERE reference = :given")
    row = desk.do(lambda session: session.execute(find, {"given": given.of}).one_or_none())
    subject = f"{questions.PAYBILL}:{given.of}" if row is None else f"withdrawal:{row.id}"
    conversation = None if row is None else row.conversation
    receipt = given.of if row is None else None
    with _line() as line:
        if not questions.status(
            _asker(desk), line, subject=subject, conversation=conversation, receipt=receipt
        ):
            raise Unfit("Safaricom did not take the question.")
    _await_status(desk, subject)
    print("Safaricom has answered, and it was acted on: see `rows`, `suspense list` and the log.")


def _breaker(desk: Desk, given: argparse.Namespace) -> None:
    if given.what == "close":
        desk.do(
            lambda session: rails.close_breaker(
                session,
                provider=Provider.MPESA,
                actor=desk.actor,
                note=given.why,
                now=desk.now,
            )
        )
    found = desk.do(lambda session: rails.breaker(session, provider=Provider.MPESA, now=desk.now))
    if found is None:
        print("Payouts go out.")
        return
    until = f"until {found.until:%F %T}Z" if found.until else "until staff close it"
    print(f"Payouts are stopped since {found.opened_at:%F %T}Z, {until}: {found.code}, {found.why}")


def _register(desk: Desk, given: argparse.Namespace) -> None:  # noqa: ARG001 - as all commands
    unsure = load().mpesa
    with _line() as line:
        assert unsure is not None, "the line is open"
        line.client.register(accepts_unsure=unsure.when_unsure == "accept")
        print(f"Payments to {line.client.account.shortcode} are told to us from now on.")


def _statement(desk: Desk, given: argparse.Namespace) -> None:
    try:
        statement = OrganisationStatement(tuple(given.files))
        unknown = taking.take(desk.do_with_money, statement, now=desk.now)
        summary = reconcile.bill(desk.databases, statement, None)
    except Misread as error:
        raise Unfit(str(error)) from None
    if unknown:
        print(f"{unknown:,} payments that nobody told us of are asked about; compare again later.")
    print(
        f"Looked at {summary.looked_at:,} receipts;"
        f" breaks: {len(summary.opened):,} new, {summary.closed:,} closed"
    )
    reconcile.show(desk.databases)


def _qr(desk: Desk, given: argparse.Namespace) -> None:
    merchant = desk.do(lambda session: merchants.at_till(session, till=given.till))
    amount = None if given.amount is None else Money.parse(given.amount, Currency.KES)
    with _line() as line:
        picture = line.client.qr(name=merchant.name, till=given.till, amount=amount)
    path: Path = given.to or Path(f"till-{given.till}.png")
    path.write_bytes(picture)
    print(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run", description=__doc__)
    top = parser.add_subparsers(dest="command", required=True).add_parser("mpesa")
    commands = top.add_subparsers(required=True)
    signed = argparse.ArgumentParser(add_help=False)
    signed.add_argument("--by", required=True, type=signature, help="who you are: a name")
    signed.add_argument("--why", required=True, help="your reason or note, in words")
    looking = argparse.ArgumentParser(add_help=False)
    looking.set_defaults(by=getpass.getuser())

    def command(
        under: argparse._SubParsersAction[argparse.ArgumentParser],
        name: str,
        do: Callable[[Desk, argparse.Namespace], None],
        *,
        what: str,
        is_signed: bool = False,
        **arguments: Callable[[str], object],
    ) -> argparse.ArgumentParser:
        made = under.add_parser(name, help=what, parents=[signed if is_signed else looking])
        for argument, kind in arguments.items():
            made.add_argument(argument, type=kind)
        made.set_defaults(do=do, what=name)
        return made

    command(commands, "rows", _rows, what="what is under way")
    command(commands, "balance", _balance, what="ask Safaricom what we have there")
    command(commands, "status", _status, what="ask what became of a receipt, or a W…", of=str)
    command(commands, "register-urls", _register, what="tell Safaricom our addresses, once")
    comparing = command(commands, "statement", _statement, what="compare statements' CSV")
    comparing.add_argument("files", type=Path, nargs="+", help="one of each account")
    drawing = command(commands, "qr", _qr, what="a QR code that pays a till", till=str)
    drawing.add_argument("--amount", help="KES; left out, the payer types it")
    drawing.add_argument("--to", type=Path, help="the file; till-….png")
    command(commands, "reverse", _reverse, what="send it back", is_signed=True, case=int)
    command(commands, "returning", _returning, what="ask whether it went back", case=int)
    floats = commands.add_parser("float", help="what is there to pay out from").add_subparsers(
        required=True
    )
    command(floats, "show", _float, what="as Safaricom said last")
    moving = command(floats, "move", _move_float, what="write a transfer down", is_signed=True)
    for pot in ("source", "target"):
        moving.add_argument(pot, choices=[*Pot])
    moving.add_argument("amount")
    moving.add_argument("--key", required=True, help="Safaricom's receipt, or the bank's")
    breaker = commands.add_parser("breaker", help="whether payouts go out").add_subparsers(
        required=True
    )
    command(breaker, "show", _breaker, what="what stops them")
    command(breaker, "close", _breaker, what="let them go on", is_signed=True)
    cases = commands.add_parser("suspense", help="what staff must look at").add_subparsers(
        required=True
    )
    _suspense(partial(command, cases))
    return parser


def _suspense(command: Callable[..., argparse.ArgumentParser]) -> None:
    """Add what staff may say of money without an owner."""
    listing = command("list", desk_suspense.listed, what="cases that are open")
    listing.add_argument("--after", type=int, default=0, help="go on from this case")
    command("show", desk_suspense.show, what="one case", case=int)
    command(
        "credit",
        desk_suspense.credit,
        what="give it to a number",
        is_signed=True,
        case=int,
        number=str,
    )
    decisions = {
        "strike": (desk_suspense.close, "it had never come"),
        "dismiss": (desk_suspense.close, "nothing is left to do"),
        "paid": (desk_suspense.decide, "the payout was paid"),
        "failed": (desk_suspense.decide, "the payout was not paid"),
    }
    for name, (do, what) in decisions.items():
        command(name, do, what=what, is_signed=True, case=int)


def main(argv: Sequence[str]) -> int:
    """Do one thing; the answer is the exit status."""
    return sit(_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

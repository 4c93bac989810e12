"""
`python -m workers.desk {sanctions,cases,report,tier,reversals,till}`: what staff decide.

Whoever may run this acts as the workers do; --by says who they are, and the audit log keeps it.
"""

from __future__ import annotations

import argparse
import getpass
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from core import (
    cases,
    db,
    kyc,
    merchants,
    reports,
    sanctions,
    sanctions_file,
    staff_logins,
)
from core.audit import Actor
from core.errors import DomainError
from core.kyc import Document, Papers
from core.sanctions_file import BadList
from core.seal import Anchor
from core.seal_outside import Outside
from core.settings import load
from core.subscribers import Tier
from workers import desk_reversals, strikes
from workers.desk_seat import Desk, TailLost, Unfit

REFUSED: Final = 1
_STATEMENT_MS: Final = 120_000


def _load_list(desk: Desk, given: argparse.Namespace) -> None:
    entries = sanctions_file.read(given.file)

    def work(session: Session) -> sanctions.Loaded:
        session.connection().exec_driver_sql(f"SET LOCAL statement_timeout = {_STATEMENT_MS}")
        return sanctions.load(
            session, source=given.source, entries=entries, actor=desk.actor, now=desk.now
        )

    done = desk.do(work)
    print(
        f"{given.source}: {done.entries} entries; {done.added} added, {done.changed} changed,"
        f" {done.removed} removed"
    )
    if done.is_news:
        print("Everybody is screened by it from now on; `cases` shows whom it hits.")


def _decide_hit(desk: Desk, given: argparse.Namespace) -> None:
    if given.what == "propose":
        desk.do(
            lambda session: sanctions.propose_clearing(
                session, hit=given.hit, actor=desk.actor, reason=given.why, now=desk.now
            )
        )
        print(f"Hit {given.hit}: somebody else must `sanctions clear` it.")
        return
    decide = sanctions.clear if given.what == "clear" else sanctions.decline_clearing
    desk.do(
        lambda session: decide(
            session, hit=given.hit, actor=desk.actor, note=given.why, now=desk.now
        )
    )
    print(f"Hit {given.hit} is {'cleared' if given.what == 'clear' else 'open again'}.")


def _list_cases(desk: Desk, given: argparse.Namespace) -> None:
    state = "closed" if given.closed else "open"
    found = desk.do(lambda session: cases.listed(session, state=state, before=given.before))
    for each, _number in found:
        print(f"{each.id}  {each.kind}  subscriber {each.subscriber_id}  {each.opened_at:%F %R}Z")
    if not found:
        print(f"No case is {state}.")


def _show_case(desk: Desk, given: argparse.Namespace) -> None:
    found = desk.do(lambda session: cases.get(session, case=given.case))
    facts = desk.do(lambda session: cases.facts(session, case=given.case))
    print(f"{found.kind}, subscriber {found.subscriber_id}, {found.state}")
    for fact in facts:
        said = ", ".join(f"{name} {value}" for name, value in fact.evidence.items())
        print(f"{fact.at:%F %T}Z  {fact.kind}  {fact.actor}  {said}")
    hits = desk.do(lambda session: sanctions.hits_of(session, subscriber=found.subscriber_id))
    for hit in hits:
        if hit.case_id == found.id:
            print(f"hit {hit.id}: {hit.source} {hit.list_id}, {hit.state}")


def _say_of_case(desk: Desk, given: argparse.Namespace) -> None:
    say = cases.note if given.what == "note" else cases.close
    desk.do(
        lambda session: say(
            session, case=given.case, actor=desk.actor, note=given.why, now=desk.now
        )
    )
    print(f"Case {given.case}: {'noted' if given.what == 'note' else 'closed'}.")


def _report(desk: Desk, given: argparse.Namespace) -> None:
    if not given.to.is_dir():
        raise BadList([f"{given.to.resolve()} is no folder"])
    report = desk.do(
        lambda session: reports.export(
            session, case=given.case, actor=desk.actor, reason=given.why, now=desk.now
        )
    )
    for suffix, content in ((".json", report.as_json()), (".txt", report.as_text())):
        path = given.to / f"{report.reference}{suffix}"
        # For whoever made it, and nobody else on this machine; never over another.
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(content)
        print(path)


def _set_tier(desk: Desk, given: argparse.Namespace) -> None:
    subscriber = desk.subscriber(given.number)
    desk.do(
        lambda session: kyc.set_tier(
            session,
            subscriber=subscriber,
            tier=Tier(given.tier),
            actor=desk.actor,
            note=given.why,
            now=desk.now,
            case=given.case,
        )
    )
    print(f"{given.number} is {given.tier}.")


def _take_papers(desk: Desk, given: argparse.Namespace) -> None:
    # Not as an argument: those are kept by shells, and shown by process lists.
    number = (
        getpass.getpass("Number of the document: ")
        if sys.stdin.isatty()
        else sys.stdin.readline().strip()
    )
    papers = Papers.read(
        name=given.name,
        document=given.document,
        number=number,
        born_on=given.born,
        today=desk.now.date(),
    )
    subscriber = desk.subscriber(given.number)
    desk.do(
        lambda session: kyc.submit(
            session,
            subscriber=subscriber,
            papers=papers,
            pepper=desk.pepper,
            actor=desk.actor,
            now=desk.now,
        )
    )
    print(f"The papers of {given.number} are kept.")


def _propose_lift(desk: Desk, given: argparse.Namespace) -> None:
    subscriber = desk.subscriber(given.number)
    lift = desk.do(
        lambda session: kyc.propose_lift(
            session,
            subscriber=subscriber,
            tier=Tier(given.tier),
            actor=desk.actor,
            reason=given.why,
            now=desk.now,
        )
    )
    print(f"Lift {lift}: somebody else must `tier approve` it.")


def _decide_lift(desk: Desk, given: argparse.Namespace) -> None:
    decide = kyc.approve_lift if given.what == "approve" else kyc.decline_lift
    desk.do(
        lambda session: decide(
            session, lift=given.lift, actor=desk.actor, note=given.why, now=desk.now
        )
    )
    print(f"Lift {given.lift} is {given.what}d.")


def _open_till(desk: Desk, given: argparse.Namespace) -> None:
    subscriber = desk.subscriber(given.number)
    till = desk.do(
        lambda session: merchants.open_till(
            session, subscriber=subscriber, actor=desk.actor, now=desk.now
        )
    )
    print(f"{given.number} is paid at till {till}.")


def signature(name: str) -> str:
    """A name as it is kept, here and by who logs in at the doors."""
    signed = staff_logins.signature(name)
    if not signed:
        raise argparse.ArgumentTypeError("say who you are")
    return signed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="desk", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    signed = argparse.ArgumentParser(add_help=False)
    signed.add_argument(
        "--by", required=True, type=signature, help="who you are: a name, as in the audit log"
    )
    reasoned = argparse.ArgumentParser(add_help=False, parents=[signed])
    reasoned.add_argument("--why", required=True, help="your reason or note, in words")

    def command(
        under: argparse._SubParsersAction[argparse.ArgumentParser],
        name: str,
        do: Callable[[Desk, argparse.Namespace], None],
        **arguments: Callable[[str], object],
    ) -> argparse.ArgumentParser:
        made = under.add_parser(name, parents=[reasoned if "why" in arguments else signed])
        for argument, kind in arguments.items():
            if argument != "why":
                made.add_argument(argument, type=kind)
        made.set_defaults(do=do, what=name)
        return made

    lists = commands.add_parser("sanctions").add_subparsers(required=True)
    loading = command(lists, "load", _load_list, file=Path)
    loading.add_argument("--source", required=True, help="whose list it is, as un or ofac")
    for name in ("propose", "clear", "decline"):
        command(lists, name, _decide_hit, hit=int, why=str)
    desk = commands.add_parser("cases").add_subparsers(required=True)
    listing = command(desk, "list", _list_cases)
    listing.add_argument("--closed", action="store_true")
    listing.add_argument("--before", type=int, help="go on from this case")
    command(desk, "show", _show_case, case=int)
    command(desk, "note", _say_of_case, case=int, why=str)
    command(desk, "close", _say_of_case, case=int, why=str)
    report = command(commands, "report", _report, case=int, why=str)
    report.add_argument("--to", type=Path, default=Path(), help="the folder it is written to")
    tiers = commands.add_parser("tier").add_subparsers(required=True)
    setting = command(tiers, "set", _set_tier, number=str, why=str)
    setting.add_argument("tier", choices=[*Tier])
    setting.add_argument("--case", type=int, help="in the course of this case: nobody is told")
    taking = command(tiers, "papers", _take_papers, number=str)
    taking.add_argument("--name", required=True, help="the whole name, as it stands there")
    taking.add_argument("--document", required=True, choices=[*Document])
    taking.add_argument("--born", required=True, help="as 1990-01-31")
    proposing = command(tiers, "propose", _propose_lift, number=str, why=str)
    proposing.add_argument("tier", choices=[Tier.PENDING, Tier.VERIFIED, Tier.REJECTED])
    for name in ("approve", "decline"):
        command(tiers, name, _decide_lift, lift=int, why=str)
    backs = commands.add_parser("reversals").add_subparsers(required=True)
    for name, show in (("list", desk_reversals.listed), ("debts", desk_reversals.owed)):
        waiting = command(backs, name, show)
        waiting.add_argument("--after", type=int, default=0, help="go on from this number")
    command(backs, "request", desk_reversals.request, number=str, reference=str, why=str)
    for name in ("approve", "decline"):
        command(backs, name, desk_reversals.decide, reversal=int, why=str)
    collecting = command(backs, "collect", desk_reversals.collect, why=str)
    collecting.add_argument("number", help="whose debt, or all")
    tills = commands.add_parser("till").add_subparsers(required=True)
    command(tills, "open", _open_till, number=str)
    return parser


def main(argv: Sequence[str]) -> int:
    """Do one thing; the answer is the exit status."""
    return sit(_parser().parse_args(argv))


def sit(given: argparse.Namespace) -> int:
    """Do what was asked for, as whoever `given.by` names; the answer is the exit status."""
    settings = load()
    desk = Desk(
        databases=db.connect(settings.database_url.get_secret_value(), role=db.WORKER),
        actor=Actor(f"staff:{given.by}", "desk", secrets.token_hex(8)),
        pepper=settings.pin_pepper.get_secret_value(),
        now=datetime.now(UTC),
        anchor=Anchor(Outside(settings.seal.folder)),
    )
    redis = strikes.watch_at(desk.databases, settings.redis_url.get_secret_value())
    try:
        given.do(desk, given)
    except DomainError as error:
        said = (error.__doc__ or "").strip().partition("\n")[0]
        print(f"No: {said} ({error.code})", file=sys.stderr)
    except (BadList, TailLost, Unfit, OSError) as error:
        print(error, file=sys.stderr)
    except SQLAlchemyError as error:
        print(f"The database did not do it: {type(error).__name__}", file=sys.stderr)
    else:
        return 0
    finally:
        redis.close()
        desk.databases.kw["bind"].dispose()
    return REFUSED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

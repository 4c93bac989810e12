"""
`python -m workers.desk_sms {announce,sms}`: what staff say to many, and what SMS came to.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from core import announcements, sms_figures, sms_line
from core.announcements import AUDIENCES, EVERYBODY, AlreadyAnnounced, Audience
from core.sms_figures import Figure
from core.subscribers import Language
from menus.gsm7 import OPT_OUT_SEPTETS_MAX, SMS_SEPTETS_MAX, parts, septets
from workers.desk import signature, sit
from workers.desk_seat import Desk, Unfit

_PARTS_MAX: Final = 3
_NAMES: Final = {Language.ENGLISH: "English", Language.KISWAHILI: "Kiswahili"}
_NAIROBI: Final = ZoneInfo("Africa/Nairobi")


def _announce(desk: Desk, given: argparse.Namespace) -> None:
    words = {Language.ENGLISH: given.english, Language.KISWAHILI: given.swahili}
    for language, text in words.items():
        _check(language, text)
    found = desk.do(lambda session: announcements.audience(session, to=given.to))
    if not found.count:
        raise Unfit("That is nobody: nothing is sent.")
    _show(words, found)
    if not given.yes and not _is_confirmed():
        raise Unfit("Nothing is sent. To send it, do the same with --yes, or answer yes.")
    try:
        count = desk.do(
            lambda session: announcements.announce(
                session,
                words=words,
                to=given.to,
                actor=desk.actor,
                now=desk.now,
                again=given.again,
            )
        )
    except AlreadyAnnounced:
        raise Unfit("The same went to the same people not a day ago; --again if it must.") from None
    print(f"{count} messages are staged.")
    if not announcements.is_daytime(desk.now):
        print(f"They go out from {announcements.DAY_BEGINS}:00 on.")


def _check(language: Language, text: str) -> None:
    """
    See that words can be sent.

    Raises:
        Unfit: They cannot; what is wrong, and with which.
    """
    if not text.strip():
        raise Unfit(f"{_NAMES[language]}: there are no words.")
    try:
        count = parts(text, more=OPT_OUT_SEPTETS_MAX)
    except ValueError as error:
        raise Unfit(
            f"{_NAMES[language]}: {error}. Phones would get it in twice the parts."
        ) from None
    if count > _PARTS_MAX:
        raise Unfit(f"{_NAMES[language]}: {count} parts, and {_PARTS_MAX} is the most. Say less.")


def _show(words: Mapping[Language, str], found: Audience) -> None:
    for language, text in words.items():
        alone, first = parts(text), parts(text, more=OPT_OUT_SEPTETS_MAX)
        print(
            f"{_NAMES[language]}: {_people(found.by_language.get(language, 0))}, {_in(alone)} each"
        )
        print(f"  {text}")
        if alone > 1:
            print(f"  Warning: {septets(text)} characters; {SMS_SEPTETS_MAX} are one part.")
        elif first > alone:
            room = SMS_SEPTETS_MAX - OPT_OUT_SEPTETS_MAX
            print(
                f"  Warning: {_in(first)} for who has not had news of us before, as the provider"
                f" appends how to opt out. {room} characters stay in one."
            )
    others = found.count - sum(found.by_language.get(language, 0) for language in words)
    if others:
        print(f"{_people(others)} of other languages: the English.")
    print(f"{_people(found.count)} in all; {found.opted_out} more have opted out and get nothing.")


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"


def _in(count: int) -> str:
    return "1 part" if count == 1 else f"{count} parts"


def _is_confirmed() -> bool:
    if not sys.stdin.isatty():
        return False
    return input("Send it? Type yes: ").strip().lower() == "yes"


def _sms(desk: Desk, given: argparse.Namespace) -> None:
    today = desk.now.astimezone(_NAIROBI).date()
    since = datetime.combine(today - timedelta(days=given.days - 1), time(), _NAIROBI)
    until = desk.now + timedelta(seconds=1)
    figures = desk.do(lambda session: sms_figures.by_day(session, since=since, until=until))
    waiting = desk.do(lambda session: sms_figures.waiting(session, now=desk.now))
    line = desk.do(lambda session: sms_line.look(session, now=desk.now))
    print(f"{'day':<10}  {'event':<22}{'messages':>9}{'parts':>8}  cost")
    for day, event in sorted({(each.day, each.event) for each in figures}):
        _row(f"{day}  {event:<22}", (f for f in figures if (f.day, f.event) == (day, event)))
    _row(f"{'in all':<34}", figures)
    states = Counter[str]()
    for each in figures:
        states[each.state] += each.count
    print(
        "By state: " + (", ".join(f"{n} {state}" for state, n in sorted(states.items())) or "none")
    )
    print(
        f"Waiting: {waiting.codes} codes, {waiting.receipts} receipts, {waiting.promotional}"
        f" promotional; the oldest code or receipt for {round(waiting.oldest.total_seconds())} s"
    )
    if line.credit is None or line.credit_told_at is None:
        print("Credit: not known yet")
    else:
        print(f"Credit: {line.credit}, as told {line.credit_told_at:%F %T}Z")
    if line.is_out_of_credit:
        print("The provider refuses messages for want of credit.")
    if line.is_sender_refused:
        print("The provider refuses our sender id: messages come from its own, news waits.")


def _row(label: str, figures: Iterable[Figure]) -> None:
    some = list(figures)
    costs: dict[str, Decimal] = {}
    for each in some:
        for currency, cost in each.costs.items():
            costs[currency] = costs.get(currency, Decimal(0)) + cost
    said = ", ".join(f"{currency} {cost:,.2f}" for currency, cost in sorted(costs.items())) or "-"
    print(f"{label}{sum(f.count for f in some):>9}{sum(f.parts for f in some):>8}  {said}")


def _days(typed: str) -> int:
    if not typed.isascii() or not typed.isdigit() or not 1 <= int(typed) <= 366:  # noqa: PLR2004
        raise argparse.ArgumentTypeError("a number from 1 to 366")
    return int(typed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    saying = commands.add_parser(
        "announce", help="send news to many; counts first, and asks before anything is sent"
    )
    saying.add_argument("english", help="the words, in English")
    saying.add_argument("swahili", help="the words, in Kiswahili")
    saying.add_argument("--to", choices=AUDIENCES, default=EVERYBODY, help="to whom")
    saying.add_argument("--yes", action="store_true", help="send it without asking")
    saying.add_argument("--again", action="store_true", help="though it went out not a day ago")
    saying.add_argument("--by", required=True, type=signature, help="who you are: a name")
    saying.set_defaults(do=_announce)
    figures = commands.add_parser("sms", help="what SMS came to, what waits, and the credit")
    figures.add_argument("--days", type=_days, default=7, help="of how many days; 7")
    figures.set_defaults(do=_sms, by=getpass.getuser())
    return parser


def main(argv: Sequence[str]) -> int:
    """Do one thing; the answer is the exit status."""
    return sit(_parser().parse_args(argv))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

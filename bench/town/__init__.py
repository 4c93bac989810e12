"""
Ten thousand simulated people who use everything at once, while things are restarted under them.

Each makes the same calls and writes the same SMS for the same seed. Of every hop it is known what
must be shown; at the end the product's rows are asked whether it did what people saw done, once
each, whether the book balances, and whether Safaricom's own says the same of what M-Pesa moved.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench import stack
from bench.figures import Figures, say
from bench.stack import Stack
from bench.town import books, picture
from bench.town.living import Life, Town
from bench.town.log import Log
from bench.town.people import Neighbour, settle
from bench.town.safaricom import Safaricom
from bench.town.troubles import RESTARTS, trouble
from bench.town.wire import Wire
from core.codes import Veil
from core.voucher_batches import Press

PEOPLE: Final = 10_000
PEOPLE_QUICK: Final = 300
SEED: Final = 384
_AT_ONCE: Final = 24
"""So many call at the same time: as many as the doors have threads, and half as many again."""
_SETTLES_SECONDS: Final = 300
_NEWCOMERS: Final = 0.02


def run(*, people: int, seed: int, file: Path) -> int:
    """Let so many people live; return 0 when nothing was answered wrong and the book balances."""
    figures = Figures()
    say(f"bench: {people:,} people move in …")
    with stack.running(people) as house:
        press = Press(Ed25519PrivateKey.generate(), Veil(house.environment["KABAMBE_VOUCHER_KEY"]))
        town = settle(house, press)
        newcomers = _newcomers(len(town))
        safaricom = Safaricom(house.ports.sandbox_url)
        safaricom.begin(town, seed=seed)
        log, began = Log(), datetime.now(UTC)
        asyncio.run(_live(house, log, [*town, *newcomers], seed=seed))
        say("bench: waiting for what is ordered to be done …")
        log.faults["M-Pesa told again"] = safaricom.say_again()
        with suppress(TimeoutError):  # what still waits then is a finding
            stack.until(lambda: books.waiting(house.databases) == 0, seconds=_SETTLES_SECONDS)
        findings = books.compare(house.databases, [*town, *newcomers], safaricom.book())
        ended = books.ended(house.databases, since=began)
    _say(log, findings, figures, people=people)
    file.write_text(picture.drawn(log, ended, title=_title(people, seed)))
    say(f"bench: the picture is {file}")
    for name in figures.missed:
        say(f"missed: {name}")
    return 1 if figures.missed else 0


async def _live(house: Stack, log: Log, people: Sequence[Neighbour], *, seed: int) -> None:
    """Let everybody call, so many at a time, and restart things meanwhile."""
    token = house.environment["KABAMBE_AFRICASTALKING__CALLBACK_TOKEN"]
    wire = Wire(house.ports.web)
    town = Town(
        wire=wire,
        log=log,
        ussd=f"/ussd/africastalking/{token}",
        ended=f"/ussd/africastalking/{token}/events",
        inbound=f"/sms/africastalking/{token}/inbound",
        sandbox=house.ports.sandbox_url,
        people=[each for each in people if not each.is_new],
        seed=seed,
    )
    turns = iter(people)
    lived = 0
    times = {each: asyncio.Event() for each in RESTARTS}
    turn = asyncio.Lock()
    told = time.monotonic()

    async def caller() -> None:
        nonlocal lived, told
        for each in turns:
            await Life(town, each).live()
            lived += 1
            for restart, event in times.items():
                if lived >= restart.at * len(people):
                    event.set()
            if time.monotonic() > told + 10:
                told = time.monotonic()
                say(f"bench: {lived:,} of {len(people):,} have called, {log.wrong_count} wrongs")

    async with asyncio.TaskGroup() as group:
        for restart, event in times.items():
            group.create_task(trouble(house, log, share=event, turn=turn, each=restart))
        for _ in range(_AT_ONCE):
            group.create_task(caller())
    await wire.close()


def _newcomers(count: int) -> list[Neighbour]:
    """People without an account, who come to open one."""
    return [Neighbour.new(count + number) for number in range(max(int(count * _NEWCOMERS), 2))]


def _say(log: Log, findings: Sequence[str], figures: Figures, *, people: int) -> None:
    hops = len(log.hops)
    last = log.hops[-1][0] if log.hops else 1.0
    figures.at_least("people who called", people, "", people)
    figures.at_least("hops", hops, "", 1)
    figures.at_least("hops a second", hops / last, "1/s", 1)
    for kinds in (("dial", "navigate", "wrong"), ("confirm",)):
        for share in (0.5, 0.99):
            name = f"{'confirming' if 'confirm' in kinds else 'navigation'} p{share * 100:g}"
            figures.at_most(name, log.percentile(share, *kinds), "ms")
    for name, count in sorted((log.faults | log.excuses).items()):
        figures.at_least(f"on the way: {name}", count, "", 0)
    for wrong in findings:
        say(f"wrong: {wrong}")
    figures.at_most("answers that were wrong", log.wrong_count, "", goal=0)
    figures.at_most("findings in the books", len(findings), "", goal=0)


def _title(people: int, seed: int) -> str:
    return f"{people:,} people, seed {seed}, {datetime.now(UTC):%Y-%m-%d}"

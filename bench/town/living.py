"""
How somebody in the town lives: they call, type, slip, are cut off, call again, and write an SMS.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Final

from bench.town import changes, letters, mpesa, plans
from bench.town.call import EXCUSES, Call, How
from bench.town.letters import Letter
from bench.town.log import Log
from bench.town.people import PIN, PIN_CHANGED, Deeds, Neighbour
from bench.town.steps import Plan, Step
from bench.town.wire import Unheard, Wire
from sandbox.dial import Sandbox

_SLIPS: Final = 0.06
_TWICE: Final = 0.06
_AT_ONCE: Final = 0.06
_HANGS_UP: Final = 0.04
_CUT_OFF: Final = 0.05
"""Of the answers that confirm: so many are sent by a handset that loses its network then."""
_WRITES: Final = 0.08
_LEAVES: Final = 0.3
_ASKS_BACK: Final = 0.1
_FORGETS: Final = 0.01
_LOOKS: Final = 0.4
_CALLS_MAX: Final = 3
_SMS_SECONDS_MAX: Final = 60
_ANY_CODE: Final = r"\b([0-9]{6})\b"
# Who always does what few do, so that in a small town too it is done: whoever sends first asks for
# it back, and one forgets their PIN who has only looked at their statement.
_ASKS_BACK_FIRST: Final = plans.FIRST.index(plans.send)
_FORGETS_FIRST: Final = plans.FIRST.index(plans.statement)

# Stands on top of the next call's first screen when this one had ordered something.
_TOLD: Final = re.compile(
    r"(Sent|Paid|Exchanged|Voucher used|Not |Your last request|We do not know|On its way"
    r"|Deposit of|Withdrawal of|Umetuma|Umelipa|Umebadilisha|Vocha|Haiku|Hatujui|Ombi lako"
    r"|Ziko njiani|Hazikutolewa|Kuweka|Kutoa|KES [0-9,.]+ (to|kwa) )"
)
# What asks for all that one has is only promised while what was ordered before is not executed: by
# then there may be less.
_PROMISED: Final = re.compile(r"is received|limepokelewa")
_AMOUNT: Final = re.compile(r"KES ([0-9,]+)\.([0-9]{2})")


class CutOff(Exception):
    """The call is over before its plan is."""


@dataclass
class Town:
    """What everybody shares."""

    wire: Wire
    log: Log
    ussd: str
    ended: str
    inbound: str
    sandbox: str
    people: Sequence[Neighbour]
    seed: int


class Life:
    """One person's calls, drawn from their own chance: the same ones for the same seed."""

    def __init__(self, town: Town, me: Neighbour) -> None:
        self._town = town
        self._me = me
        self._log = town.log
        self._chance = Random(f"{town.seed} {me.number}")
        self._calls = 0
        self._letters = 0
        self._has_news = False
        """Whether the next call must begin with what became of an order."""
        self._has_confirmed = False

    async def live(self) -> None:
        """Call for something; some come back for more, and some write."""
        me, given = self._me, (self._me, self._town.people, self._chance)
        plan = plans.drawn(*given)
        is_done = await self._see_to(plan)
        drawn = self._chance.random()
        if plan.flow == "register":
            # The first of those who come leaves again, so that somebody does.
            if is_done and (drawn < _LEAVES or me.number == len(self._town.people)):
                await self._see_to(changes.close(*given))
        elif plan.flow == "send" and is_done:
            if drawn < _ASKS_BACK or me.number == _ASKS_BACK_FIRST:
                await self._see_to(plans.ask_back(*given))
        elif plan.flow == "pin" and is_done:  # and sends something by the new one
            await self._see_to(plans.send(*given))
        elif plan.flow in {"deposit", "till", "withdraw", "settle"} and drawn < _LOOKS:
            await self._see_to(mpesa.last(*given))
        elif drawn > 1 - _FORGETS or me.number == _FORGETS_FIRST:
            await self._recover()
        turn = me.number - len(plans.FIRST)
        if self._chance.random() < _WRITES or 0 <= turn < len(letters.SHARES):
            letter: Letter | None = letters.drawn(*given, turn=turn)
            while letter is not None:
                await self._write(letter)
                letter = letter.then

    async def _see_to(self, plan: Plan) -> bool:
        """Call for something, and again if that was cut off; return whether it was brought off."""
        self._has_confirmed = False
        for _ in range(_CALLS_MAX):
            self._log.plans[plan.flow]["begun"] += 1
            try:
                await self._call(plan)
            except (CutOff, Unheard):
                self._log.plans[plan.flow]["left"] += 1
                if self._has_confirmed and plan.is_once:
                    return False
                continue
            self._log.plans[plan.flow]["done"] += 1
            return True
        return False

    async def _call(self, plan: Plan) -> None:
        """Make one call, to its end or to where it is cut off."""
        call = self._new_call()
        try:
            await call.dial()
            await self._begin(call)
            for each in plan.steps:
                await self._step(call, plan, each)
                if call.screen in each.may_end:
                    break
        finally:
            self._log.left[call.screen] += not call.is_over
            await self._tell_the_end(call)

    def _new_call(self) -> Call:
        self._calls += 1
        session_id = f"ATUid_{self._town.seed}_{self._me.number:05}_{self._calls}"
        town = self._town
        me = self._me
        return Call(town.wire, town.log, town.ussd, session_id, me.msisdn, me.network)

    async def _begin(self, call: Call) -> None:
        """Take the first screen: home, the offer to go on, or what became of an order."""
        self._expect(call, {"home.Home", "resume.Offer", "register.Welcome"}, "")
        if self._has_news and not _TOLD.match(call.words):
            self._wrong(call, "the first line says nothing of what was ordered before")
        self._has_news = False
        if call.screen == "resume.Offer":
            self._log.faults["offered to go on"] += 1
            if self._chance.random() < 0.5:  # noqa: PLR2004 - half of them
                await call.types("1", kind="navigate")
                if call.is_over or call.screen in {"home.Home", "resume.Offer"}:
                    self._wrong(call, "going on led nowhere")
                await call.types("00", kind="navigate")
            else:
                await call.types("2", kind="navigate")
            self._expect(call, {"home.Home", "register.Welcome"}, "")

    async def _step(self, call: Call, plan: Plan, step: Step) -> None:
        if self._chance.random() < _HANGS_UP:
            self._log.faults["hung up"] += 1
            raise CutOff
        if step.wrong and self._chance.random() < _SLIPS:
            self._log.faults["wrong input"] += 1
            before = call.screen
            await call.types(step.wrong, kind="wrong")
            self._expect(call, {before}, "")
        if step.confirms:
            await self._confirm(call, plan, step)
        else:
            await call.types(step.typed, kind=step.kind, how=self._how())
            while call.screen in step.between:
                await call.types(step.between[call.screen], kind=step.kind)
            self._expect(call, step.leads | step.may_end, step.says)

    async def _confirm(self, call: Call, plan: Plan, step: Step) -> None:
        """Give the answer that orders; whatever comes of it, know what may have been ordered."""
        me, deeds = self._me, self._deeds(call, plan)
        me.maybe += deeds
        me.doubts |= plan.becomes.keys()
        me.sent_to = plan.to or me.sent_to
        self._has_confirmed = True
        is_cut_off = self._chance.random() < _CUT_OFF
        await call.types(step.typed, kind=step.kind, how=self._how())
        if is_cut_off:  # the handset shows nothing of what came
            self._log.faults["cut off after the PIN"] += 1
            self._has_news = plan.is_told_of and call.screen not in EXCUSES
            raise CutOff
        self._expect(call, step.leads, step.says)
        if not (plan.reads and _PROMISED.search(call.words)):
            me.maybe -= deeds
            me.ordered += deeds
        self._become(plan.becomes)

    def _deeds(self, call: Call, plan: Plan) -> Deeds:
        """What a plan asks for; its amount by the screen, where that alone tells it."""
        if plan.deed is not None:
            return Counter({plan.deed: 1})
        if not plan.reads:
            return Counter()
        told = _AMOUNT.search(call.words)
        if told is None:
            self._wrong(call, "tells no amount")
            raise CutOff
        return Counter({(plan.reads, int(told[1].replace(",", "") + told[2])): 1})

    def _become(self, becomes: Mapping[str, object]) -> None:
        """Be sure of what is known of us now."""
        for name, value in becomes.items():
            setattr(self._me, name, value)
            self._me.doubts.discard(name)

    async def _recover(self) -> None:
        """Forget one's PIN: say who one is, and type the code that comes by SMS."""
        call = self._new_call()
        with suppress(CutOff, Unheard):
            await call.dial()
            await self._begin(call)
            for typed in ("3", "1", "2"):
                await call.types(typed, kind="navigate")
            self._expect(call, {"forgotten.Name"}, "")
            await call.types(self._me.name, kind="navigate")
            if call.screen == "forgotten.Proof":
                await call.types(self._me.sent_to, kind="navigate")
            self._expect(call, {"forgotten.Code"}, "")
            self._me.maybe[PIN_CHANGED, 0] += 1
            self._me.doubts.add("pin")
            for typed, screen in (
                (await self._code(_ANY_CODE), "forgotten.NewPin"),
                (PIN, "forgotten.RepeatPin"),
                (PIN, "screen.Done"),
            ):
                await call.types(typed, kind="navigate")
                self._expect(call, {screen}, "")
            self._become({"pin": PIN})
            self._log.faults["forgot their PIN"] += 1
        await self._tell_the_end(call)

    async def _code(self, pattern: str) -> str:
        """The code that came by SMS; raises `CutOff` when none has come within a minute."""
        handset = Sandbox(self._town.sandbox, self._me.msisdn)
        for _ in range(_SMS_SECONDS_MAX):
            for each in reversed(await asyncio.to_thread(handset.messages)):
                found = re.search(pattern, each["message"])
                if found is not None:
                    return found[1]
            await asyncio.sleep(1)
        self._log.wrong(f"{self._me.msisdn} got no code within a minute")
        raise CutOff

    def _how(self) -> How:
        drawn = self._chance.random()
        if drawn < _TWICE:
            return How.TWICE
        return How.AT_ONCE if drawn < _TWICE + _AT_ONCE else How.ONCE

    def _expect(self, call: Call, screens: frozenset[str] | set[str], says: str) -> None:
        """
        Hold what is shown against what must be.

        Raises:
            CutOff: We were in trouble, said so in words, and the caller dials again.
        """
        if call.screen in EXCUSES:
            self._log.excuses[call.screen] += 1
            if not self._log.in_trouble():
                self._wrong(call, "an excuse while nothing was restarted")
            raise CutOff
        if call.screen not in screens:
            self._wrong(call, f"not one of {sorted(screens)}")
            raise CutOff
        if says and not re.search(says, call.words, re.DOTALL):
            self._wrong(call, f"does not say {says}")

    def _wrong(self, call: Call, why: str) -> None:
        typed = "*".join(
            "****" if each in {PIN, self._me.pin, changes.OTHER_PIN} else each
            for each in call.typed
        )
        self._log.wrong(f"{call.session_id} {typed!r} {call.screen}: {why}: {call.words!r}")

    async def _tell_the_end(self, call: Call) -> None:
        """Tell how the call ended, as the aggregator does; mostly."""
        if self._chance.random() < 0.1 or not call.screens:  # noqa: PLR2004 - it is not guaranteed
            return
        form = {
            "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
            "sessionId": call.session_id,
            "serviceCode": "*384#",
            "networkCode": call.network,
            "phoneNumber": call.msisdn,
            "status": "Success" if call.is_over else "Incomplete",
            "cost": f"KES {0.1 * len(call.screens):.2f}",
            "durationInMillis": str(1000 * len(call.screens)),
            "hopsCount": str(len(call.screens)),
            "hopsMetadata": "|".join(call.screens),
            "input": "*".join(call.typed),
            "lastAppResponse": call.words,
            "errorMessage": "",
        }
        with suppress(Unheard):
            await self._town.wire.post(self._town.ended, form)

    async def _write(self, letter: Letter) -> None:
        """Write an SMS, and say the code again that comes back, if one must."""
        me = self._me
        self._log.letters[letter.kind]["begun"] += 1
        me.maybe += letter.comes + letter.may_come
        me.doubts |= letter.becomes.keys()
        with suppress(CutOff, Unheard):
            await self._post(letter.text)
            if letter.code:
                await self._post(await self._code(letter.code))
            me.maybe -= letter.comes
            me.ordered += letter.comes
            self._become(letter.becomes)
            self._log.letters[letter.kind]["done"] += 1

    async def _post(self, text: str) -> None:
        """
        Let an SMS reach us, twice, as by a provider that heard no answer.

        Raises:
            CutOff: It was not taken.
            Unheard: Nobody took it in time.
        """
        self._letters += 1
        form = {
            "id": f"town-{self._town.seed}-{self._me.number}-{self._letters}",
            "from": self._me.msisdn,
            "to": "22384",
            "text": text,
            "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "networkCode": self._me.network,
        }
        self._log.faults["SMS written"] += 1
        for _ in range(2):
            heard = await self._town.wire.post(self._town.inbound, form)
            if heard.body:  # what is taken is taken without a word
                if not self._log.in_trouble():
                    self._log.wrong(f"an SMS was not taken: {heard.body!r}")
                raise CutOff

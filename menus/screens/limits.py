"""My limits: what the caller may still send, and hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from core import limits
from core.limits import AccountSuspended, Allowance, NotScreened
from menus import clock
from menus.faces import face
from menus.screen import AnyScreen, Done, Hop, Tell, View
from menus.text import _


@dataclass(frozen=True)
class Limits(Tell):
    """They are fetched once and carried along, so that turning a page costs no SQL."""

    allowance: Allowance
    fetched: ClassVar[bool] = True

    def view(self, hop: Hop) -> View:
        may = self.allowance
        lines = [
            _("Send at once: {most}", most=may.at_once),
            _("Left today: {left}", left=may.today),
            _("Left this month: {left}", left=may.this_month),
            _("Hold at most: {most}", most=may.balance_max),
        ]
        if may.cooling_until is None:
            return View(_("My limits"), lines, numbered=False)
        until = clock.day_and_minute_after(may.cooling_until)
        return View(_("My limits, lower until {until}", until=until), lines, numbered=False)


def mine(hop: Hop) -> AnyScreen:
    """Fetch the caller's; where they may move nothing, say that."""
    try:
        may = limits.allowance(hop.unit.reading, subscriber=hop.caller.id, now=hop.now)
    except (AccountSuspended, NotScreened) as error:
        return Done(face(error).words)
    return Limits(may)

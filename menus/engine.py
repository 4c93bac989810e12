"""
One hop: read the answer, move along the stack, lay out the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter

from core.errors import DomainError
from menus.faces import face
from menus.pages import BACK, HOME, MORE, page
from menus.screen import AnyScreen, Hop
from menus.text import Text, _

DEPTH_MAX: Final = 20

_MORE_LABEL: Final = _("More")
_BACK_LABEL: Final = _("Back")
_HOME_LABEL: Final = _("Home")


@dataclass(frozen=True, slots=True)
class Dialogue:
    """
    Where one USSD session is.

    Args:
        stack: The screens walked through; the caller is on the last one.
        line: The line that the page being read begins with.
        following: The line that the next page begins with, if there is a next one.
        left_at: The lines at which the screens below were left, to come back to.
        notice: A line on top of the screen, said once; with `hangs_up` it is all there is to say.
    """

    stack: tuple[AnyScreen, ...]
    line: int = 0
    following: int | None = None
    left_at: tuple[int, ...] = ()
    notice: Text | None = None
    hangs_up: bool = False

    @property
    def top(self) -> AnyScreen:
        return self.stack[-1]

    def to(self, screen: AnyScreen) -> Dialogue:
        """Go on to another screen."""
        return Dialogue(
            (*self.stack, screen)[-DEPTH_MAX:],
            left_at=(*self.left_at, self.line)[1 - DEPTH_MAX :],
        )

    def back(self) -> Dialogue:
        """Return to the screen below, to the page that was read there."""
        return Dialogue(self.stack[:-1], self.left_at[-1], left_at=self.left_at[:-1])


@dataclass(frozen=True, slots=True)
class Reply:
    """What the handset shows, whether the session ends with it, and where its next page begins."""

    text: str
    ends: bool
    following: int | None = None


def answer(dialogue: Dialogue, hop: Hop, text: str) -> Dialogue:
    """Answer the screen on top of the stack; return where that leads."""
    match text.strip():
        case key if key == MORE and dialogue.following is not None:
            return replace(dialogue, line=dialogue.following, following=None, notice=None)
        case key if key == BACK and len(dialogue.stack) > 1:
            return dialogue.back()
        case key if key == HOME:
            return Dialogue(dialogue.stack[:1])
    screen = dialogue.top
    try:
        understood = screen.read(hop, text)
        with hop.unit.undone_on(DomainError):
            following = screen.then(hop, understood)
    except DomainError as error:
        refusal = face(error)
        stays = screen.refusal_leads()
        return replace(
            dialogue,
            stack=(*dialogue.stack[:-1], stays),
            line=dialogue.line if stays is screen else 0,
            notice=refusal.words,
            hangs_up=refusal.hangs_up,
        )
    return dialogue.to(following)


def walk(dialogue: Dialogue, hop: Hop, answers: Sequence[str]) -> Dialogue:
    """
    Follow answers that were dialled ahead (`*384*1*0733000002*500#`).

    Stops in front of a PIN or a confirmation, and at the first answer that is refused: a call
    log must never move money, nor hold a PIN that works.
    """
    for text in answers:
        if dialogue.top.guarded or dialogue.hangs_up:
            break
        if text.strip() == MORE:  # whether that means anything is seen on the page alone
            dialogue = replace(dialogue, following=show(dialogue, hop).following)
        dialogue = answer(dialogue, hop, text)
        if dialogue.notice is not None:
            break
    return dialogue


def show(dialogue: Dialogue, hop: Hop) -> Reply:
    """Lay out the page the caller is on, in their language."""
    screen = dialogue.top
    language = screen.speaks(hop)
    if dialogue.hangs_up and dialogue.notice is not None:
        return Reply(dialogue.notice.render(language), ends=True)
    view = screen.show(hop)
    head = "\n".join(text.render(language) for text in (dialogue.notice, view.head) if text)
    if view.ends:
        return Reply(page(head, (), more="", backs=[]).text, ends=True)
    lines = [
        f"{number}. {line.render(language)}" if view.numbered else line.render(language)
        for number, line in enumerate(view.lines, 1)
    ]
    more = f"{MORE}. {_MORE_LABEL.render(language)}"
    backs = [f"{BACK}. {_BACK_LABEL.render(language)}"] if len(dialogue.stack) > 1 else []
    if len(dialogue.stack) > 2:  # noqa: PLR2004 - one step from home, back is home
        backs.insert(0, f"{backs[0]} {HOME}. {_HOME_LABEL.render(language)}")
    start = dialogue.line if dialogue.line < len(lines) else 0
    shown = page(head, lines, start=start, more=more, backs=backs)
    return Reply(shown.text, ends=False, following=shown.following)


def name(screen: type[AnyScreen]) -> str:
    """The stable name a screen is saved under: `send.Amount`."""
    return f"{screen.__module__.rpartition('.')[2]}.{screen.__qualname__}"


def dump(dialogue: Dialogue, *, following: int | None) -> dict[str, Any]:
    """
    Make a dialogue JSON. What it holds is never a PIN: screens keep spans, not answers.

    `following` is of the page as it was shown: a notice on top leaves room for fewer lines.
    """
    return {
        "line": dialogue.line,
        "following": following,
        "left_at": dialogue.left_at,
        "stack": [
            [name(type(screen)), _codec(type(screen)).dump_python(screen, mode="json")]
            for screen in dialogue.stack
        ],
    }


def load(saved: Mapping[str, Any], screens: Mapping[str, type[AnyScreen]]) -> Dialogue:
    """
    Take up a saved dialogue.

    Raises:
        KeyError: A screen has another name since a deploy.
        ValueError: A screen has other fields since a deploy.
    """
    return Dialogue(
        tuple(_codec(screens[name]).validate_python(fields) for name, fields in saved["stack"]),
        saved["line"],
        saved["following"],
        tuple(saved["left_at"]),
    )


@cache
def _codec(screen: type[AnyScreen]) -> TypeAdapter[AnyScreen]:
    return TypeAdapter(screen)

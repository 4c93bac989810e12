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
from menus.pages import BACK, HOME, MORE, paginate
from menus.screen import AnyScreen, Hop
from menus.text import Text, _

DEPTH_MAX: Final = 20

_MORE_LABEL: Final = _("More")
_BACK_LABEL: Final = _("Back")
_HOME_LABEL: Final = _("Home")


@dataclass(frozen=True, slots=True)
class Dialogue:
    """
    Where one USSD session is: the screens walked through, and the page being read.

    `notice` is a line on top of the screen, said once; with `hangs_up` it is all there is to say.
    """

    stack: tuple[AnyScreen, ...]
    page: int = 0
    notice: Text | None = None
    hangs_up: bool = False

    @property
    def top(self) -> AnyScreen:
        return self.stack[-1]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the handset shows, and whether the session ends with it."""

    text: str
    ends: bool


def answer(dialogue: Dialogue, hop: Hop, text: str) -> Dialogue:
    """Answer the screen on top of the stack; return where that leads."""
    match text.strip():
        case key if key == MORE:
            return replace(dialogue, page=dialogue.page + 1, notice=None)
        case key if key == BACK and len(dialogue.stack) > 1:
            return Dialogue(dialogue.stack[:-1])
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
        kept = dialogue.stack if stays is screen else (*dialogue.stack[:-1], stays)
        return Dialogue(kept, dialogue.page, notice=refusal.words, hangs_up=refusal.hangs_up)
    return Dialogue((*dialogue.stack, following)[-DEPTH_MAX:])


def walk(dialogue: Dialogue, hop: Hop, answers: Sequence[str]) -> Dialogue:
    """
    Follow answers that were dialled ahead (`*384*1*0733000002*500#`).

    Stops in front of a PIN or a confirmation, and at the first answer that is refused: a call
    log must never move money, nor hold a PIN that works.
    """
    for text in answers:
        if dialogue.top.guarded or dialogue.hangs_up:
            break
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
        return Reply(paginate(head, (), more="", backs=[])[0], ends=True)
    lines = [
        f"{number}. {line.render(language)}" if view.numbered else line.render(language)
        for number, line in enumerate(view.lines, 1)
    ]
    more = f"{MORE}. {_MORE_LABEL.render(language)}"
    backs = [f"{BACK}. {_BACK_LABEL.render(language)}"] if len(dialogue.stack) > 1 else []
    if len(dialogue.stack) > 2:  # noqa: PLR2004 - one step from home, back is home
        backs.insert(0, f"{backs[0]} {HOME}. {_HOME_LABEL.render(language)}")
    pages = paginate(head, lines, more=more, backs=backs)
    return Reply(pages[min(dialogue.page, len(pages) - 1)], ends=False)


def name(screen: type[AnyScreen]) -> str:
    """The stable name a screen is saved under: `send.Amount`."""
    return f"{screen.__module__.rpartition('.')[2]}.{screen.__qualname__}"


def dump(dialogue: Dialogue) -> dict[str, Any]:
    """Make a dialogue JSON. What it holds is never a PIN: screens keep spans, not answers."""
    return {
        "page": dialogue.page,
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
        saved["page"],
    )


@cache
def _codec(screen: type[AnyScreen]) -> TypeAdapter[AnyScreen]:
    return TypeAdapter(screen)

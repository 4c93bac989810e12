"""
One hop: read the answer, move along the stack, lay out the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter

from core.errors import DomainError, Invalid
from core.pins import InvalidPin, PinsDiffer, WeakPin
from menus.faces import face
from menus.pages import BACK, HOME, MORE, NoRoom, page
from menus.screen import AnswerTooLong, AnyScreen, Hop, Way, chosen
from menus.text import Text, _

DEPTH_MAX: Final = 20
TRIES_MAX: Final = 3

# A PIN has a lock of its own, and a new one is not made better by hanging up.
_UNCOUNTED: Final = (InvalidPin, PinsDiffer, WeakPin)
_HELP: Final = _(
    "We did not understand you 3 times. Dial *384*4# for help, or *384# to begin again."
)
_BEGIN_AGAIN: Final = _("We did not understand you 3 times. Dial *384# to begin again.")

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
        tries: How many answers in a row were no answer to this screen.
    """

    stack: tuple[AnyScreen, ...]
    line: int = 0
    following: int | None = None
    left_at: tuple[int, ...] = ()
    notice: Text | None = None
    hangs_up: bool = False
    tries: int = 0

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
    if (moved := _moved(dialogue, chosen(text))) is not None:
        return moved
    screen = dialogue.top
    # Seen in production: an @ that arrives as the letter GSM-7 has in its place.
    text = text.replace("¡", "@")
    try:
        if len(text) > hop.network.letters_max:
            raise AnswerTooLong(letters_max=hop.network.letters_max)
        understood = screen.read(hop, text)
        with hop.unit.undone_on(DomainError):
            following = screen.then(hop, understood)
    except DomainError as error:
        return _refused(dialogue, hop, error)
    match following:
        case Way.BACK:
            return dialogue.back()
        case Way.HOME:
            return Dialogue(dialogue.stack[:1])
    return dialogue.to(following)


def _moved(dialogue: Dialogue, key: str) -> Dialogue | None:
    """Where the keys for more, back and home lead, where they mean that."""
    if not dialogue.top.leads_back:
        return None
    if key == MORE and dialogue.following is not None:
        return replace(dialogue, line=dialogue.following, following=None, notice=None, tries=0)
    if key == BACK and len(dialogue.stack) > 1:
        return dialogue.back()
    return Dialogue(dialogue.stack[:1]) if key == HOME else None


def _refused(dialogue: Dialogue, hop: Hop, error: DomainError) -> Dialogue:
    """
    Stay on the screen with the refusal on top; hang up at the third answer that was none.

    Where both have no room, the refusal is what the caller must know.
    """
    refusal = face(error)
    is_counted = isinstance(error, Invalid) and not isinstance(error, _UNCOUNTED)
    tries = dialogue.tries + 1 if is_counted else 0
    if tries == TRIES_MAX:
        words = _HELP if hop.person is not None else _BEGIN_AGAIN
        return replace(dialogue, notice=words, hangs_up=True)
    stays = dialogue.top.refusal_leads()
    told = replace(
        dialogue,
        stack=(*dialogue.stack[:-1], stays),
        line=dialogue.line if stays is dialogue.top else 0,
        notice=refusal.words,
        hangs_up=refusal.hangs_up,
        tries=tries,
    )
    return told if has_room(told, hop) else replace(told, hangs_up=True)


def walk(dialogue: Dialogue, hop: Hop, answers: Sequence[str]) -> Dialogue:
    """
    Follow answers that were dialled ahead (`*384*1*0733000002*500#`).

    Stops in front of a PIN or a confirmation, and at the first answer that is refused: a call
    log must never move money, nor hold a PIN that works. It stops at what an order came to as well:
    a hop orders one thing, and its caller must see it.
    """
    for text in answers:
        if dialogue.top.guarded or dialogue.top.submits or dialogue.hangs_up:
            break
        if chosen(text) == MORE:  # whether that means anything is seen on the page alone
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
    septets_max = hop.network.screen_septets_max
    if view.ends:
        text = page(head, (), more="", backs=[], septets_max=septets_max).text
        return Reply(text, ends=True)
    lines = [
        f"{number}. {line.render(language)}" if view.numbered else line.render(language)
        for number, line in enumerate(view.lines, 1)
    ]
    more = f"{MORE}. {_MORE_LABEL.render(language)}"
    depth = len(dialogue.stack) if screen.leads_back else 1
    backs = [f"{BACK}. {_BACK_LABEL.render(language)}"] if depth > 1 else []
    if depth > 2:  # noqa: PLR2004 - one step from home, back is home
        backs.insert(0, f"{backs[0]} {HOME}. {_HOME_LABEL.render(language)}")
    start = dialogue.line if dialogue.line < len(lines) else 0
    shown = page(head, lines, start=start, more=more, backs=backs, septets_max=septets_max)
    return Reply(shown.text, ends=False, following=shown.following)


def has_room(dialogue: Dialogue, hop: Hop) -> bool:
    """Whether the notice leaves room for the screen below it."""
    try:
        show(dialogue, hop)
    except NoRoom:
        return False
    return True


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
        "tries": dialogue.tries,
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
        tries=saved.get("tries", 0),
    )


@cache
def _codec(screen: type[AnyScreen]) -> TypeAdapter[AnyScreen]:
    return TypeAdapter(screen)

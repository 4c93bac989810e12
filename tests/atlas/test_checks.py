"""Each fault a screen can have is found, and none where there is none."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from atlas.answers import BEGINNINGS, answers
from atlas.checks import faults
from atlas.drawing import draw
from atlas.graph import drawn
from atlas.transcript import write
from atlas.walk import Flow, Hop
from atlas.world import Seen
from core.subscribers import Language
from menus.engine import Dialogue
from menus.screen import Ask, Done, Menu, Option, View
from menus.screens import SCREENS, home
from menus.text import Text, _

HOME, HELP = home.Home(), SCREENS["help.Help"]()


@dataclass(frozen=True)
class Guess(Ask[str]):
    """A screen that the answer book does not know."""

    def prompt(self, hop):
        return _("Back")

    def read(self, hop, text):
        return text

    def then(self, hop, answer):
        return Done(_("Back"))


@dataclass(frozen=True)
class Maze(Menu):
    """A menu that can be as long as one likes."""

    def title(self, hop):
        return _("Help")

    def options(self, hop):
        return [Option(_("Back"), lambda _hop: self)]


def seen(*stack, words="Help\n1. Your PIN\n0. Back", head="Help", lines=(), ends=False, **more):
    view = View(Text(head), [Text(line) for line in lines])
    return Seen(words, ends, Dialogue(stack, left_at=(0,) * (len(stack) - 1), **more), None, view)


def flow(*hops, typed="1"):
    return Flow(BEGINNINGS[0], tuple(Hop(typed, each) for each in hops))


START = seen(HOME, words="Kabambe\n1. Help")


def found(*hops, language=Language.KISWAHILI):
    said = faults([flow(START, *hops)], language)
    return [fault for fault in said if "no answer leads to it" not in fault]


def test_what_is_as_it_must_be_has_no_fault():
    assert found(seen(HOME, HELP)) == []


def test_a_screen_that_nobody_gets_to():
    unreached = faults([flow(START, seen(HOME, HELP))], Language.ENGLISH)
    assert "send.Outcome: no answer leads to it" in unreached
    assert "help.Help: no answer leads to it" not in unreached
    assert len(unreached) == len(SCREENS) - 2


class TestAWayBack:
    def test_that_is_not_offered(self):
        words = "Help\n1. Your PIN\n00. Home"
        assert found(seen(HOME, HELP, words=words)) == ["help.Help: it does not offer the way back"]

    def test_that_is_not_offered_where_there_is_another_page(self):
        told = ["help.Help: it does not offer the way back"]
        assert found(seen(HOME, HELP, words="Help\n1. Your PIN\n98. More")) == told
        assert found(seen(HOME, HELP, words="Help\n1. Your PIN\n98. More\n0. Back")) == []

    def test_that_is_not_there(self):
        assert found(seen(HELP)) == ["help.Help: there is nothing to go back to"]

    def test_is_not_wanted_where_the_session_begins_or_ends(self):
        assert found(seen(HOME), seen(HOME, Done(_("Help")), words="Help", ends=True)) == []


class TestTooMuch:
    @pytest.mark.parametrize(("many", "told"), [(5, []), (6, ["more than 5 options"])])
    def test_options(self, many, told):
        words = "\n".join(["Help", *(f"{number}. PIN" for number in range(1, many + 1)), "0. Back"])
        assert found(seen(HOME, HELP, words=words)) == [f"help.Help: {each}" for each in told]

    def test_words(self):
        fits = "x" * (156 - len("\n0. Back"))
        assert found(seen(HOME, HELP, words=f"{fits}\n0. Back")) == []
        assert found(seen(HOME, HELP, words=f"{fits}x\n0. Back")) == [
            "help.Help: more than 156 septets"
        ]


class TestSwahili:
    def test_that_is_missing(self):
        plain = seen(HOME, HELP, head="Good morning")
        assert found(plain) == ["help.Help: not in Kiswahili: 'Good morning'"]
        assert found(plain, language=Language.ENGLISH) == []

    def test_that_is_missing_on_a_line_or_on_top(self):
        assert found(seen(HOME, HELP, lines=["Good morning"]))
        assert found(seen(HOME, HELP, notice=Text("Good morning")))

    def test_that_is_missing_in_a_gap(self):
        view = View(Text("{day} {other}", {"day": "21/11", "other": Text("Good morning")}))
        assert found(replace(seen(HOME, HELP), view=view)) == [
            "help.Help: not in Kiswahili: 'Good morning'"
        ]

    def test_is_not_wanted_of_names_and_figures(self):
        assert found(seen(HOME, HELP, head="Kabambe", lines=["{name} {at}", "Naija", "1"])) == []


class TestTheBook:
    def test_names_the_screen_it_does_not_know(self):
        with pytest.raises(LookupError, match=r"test_checks\.Guess has no line in atlas/answers"):
            answers(Guess(), offered=0)

    def test_needs_nothing_for_a_menu(self):
        tried = answers(Maze(), offered=7)
        assert [answer.typed for answer in tried] == list("1234567")


class TestTheDrawing:
    def test_has_each_screen_once_and_every_answer(self):
        end = seen(HOME, HELP, Done(_("Help")), words="Bye & <thanks>", ends=True)
        picture = draw(drawn([flow(START, seen(HOME, HELP), end), flow(START, seen(HOME, HELP))]))
        assert picture.count(">help.Help<") == 1
        assert "Bye &amp; &lt;thanks&gt;" in picture

    def test_tells_last_words_from_one_another(self):
        ends = [seen(HOME, Done(_(word)), words=word, ends=True) for word in ("Help", "Back")]
        picture = draw(drawn([flow(START, ends[0]), flow(START, ends[1], typed="2")]))
        assert picture.count(">screen.Done<") == 2

    def test_leads_to_a_screen_that_is_drawn_elsewhere(self):
        there = seen(HOME, HELP)
        back = seen(HOME, HELP, HOME, words="Kabambe")
        assert ">to home.Home<" in draw(drawn([flow(START, there, back)]))


class TestTheTranscript:
    def test_shows_what_is_new_of_each_flow(self):
        first, second = flow(START, seen(HOME, HELP)), flow(START)
        other = Flow(BEGINNINGS[0], (*second.hops, Hop("2", seen(HOME, HELP, words="Msaada"))))
        said = write([first, other], [first, other])
        assert said.count("Kabambe\n") == 1
        assert said.count("Msaada") == 2

    def test_wants_the_same_ways_in_every_language(self):
        with pytest.raises(ValueError, match="do not lead the same ways"):
            write([flow(START)], [])

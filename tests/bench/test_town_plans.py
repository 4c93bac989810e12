"""What the people of the town come for: everything there is, in a small town too."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from bench.town import letters, plans
from bench.town.people import PIN, Neighbour
from core.subscribers import Language
from menus import flows
from menus.keywords import Keyword

ENGLISH, KISWAHILI = Language.ENGLISH, Language.KISWAHILI
# Not what anybody comes for at first, but afterwards: when done, forgotten, or told of.
AFTERWARDS = {"reversal", "closing", "forgotten"}


def town(count):
    people = []
    for number in range(count):
        language = KISWAHILI if number % 2 else ENGLISH
        each = Neighbour(number, f"+25471{number:07}", "63902", language)
        each.till = "3874195" if number % 50 == 0 else ""
        each.vouchers = ["1" * 20] if number % 5 == 0 else []
        people.append(each)
    return people


def intended(count, seed=384):
    people, found = town(count), []
    for each in [*people, Neighbour.new(count), Neighbour.new(count + 1)]:
        chance = Random(f"{seed} {each.number}")
        plan = plans.drawn(each, people, chance)
        letter = letters.drawn(each, people, chance, turn=each.number - len(plans.FIRST))
        found.append((plan, letter))
    return found


def test_in_a_town_of_sixty_every_flow_is_come_for_and_every_sms_written():
    found = intended(60)
    seen = {flows.of(screen) for plan, _ in found for step in plan.steps for screen in step.leads}
    assert set(flows.ENDS) - seen <= AFTERWARDS
    written = {letter.text.split()[0] for _, letter in found}
    written |= {letter.then.text for _, letter in found if letter.then}
    asked = set(Keyword) - {Keyword.CONFIRM}  # which says a code again
    assert {word.upper() for word in written} >= {PIN, *asked} - spoken_otherwise(written)
    assert any(letter.code for _, letter in found)


def spoken_otherwise(written):
    """The keywords that were written in Kiswahili, and a PIN that did not stand alone."""
    swahili = {"SALIO": "BAL", "TAARIFA": "MINI", "BEI": "RATE", "MSAADA": "HELP", "TUMA": "SEND"}
    swahili |= {"LIPA": "PAY", "ACHA": "STOP", "ANZA": "START", "LUGHA": "LANG", "PIN": PIN}
    return {swahili[word] for word in written if word in swahili}


def test_who_changes_something_changes_it():
    done = {plan.flow: plan.becomes for plan, _ in intended(60) if plan.becomes}
    assert set(done) == {"pin", "language", "naming"}


def test_the_same_seed_is_the_same_people():
    assert intended(200) == intended(200)
    assert intended(200) != intended(200, seed=1)


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ({"send", "statement", "balances", "limits"}, 0.5, 0.65),
        ({"deposit", "withdraw", "till", "last", "settle"}, 0.08, 0.13),
    ],
)
def test_most_send_and_look_and_a_tenth_use_mpesa(asked, least, most):
    found = Counter(plan.flow for plan, _ in intended(3_000))
    share = sum(found[flow] for flow in asked) / found.total()
    assert least < share < most

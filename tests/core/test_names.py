"""Names compared: what is found however it is spelt, and what is left in peace."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.names import THRESHOLD, Names, folded, words_of

SYLLABLES = [f"{first}{last}" for first in "bdfghjklmnprstwyz" for last in "aeiou"] + [
    *("nja", "nyo", "ngu", "sha", "mba", "ndo", "thi", "cha")
]

# One person, written by two people.
SAME = [
    ("Maxamed Cabdi", "Mohamed Abdi"),
    ("Xasan Cali Warsame", "Hassan Ali Warsame"),
    ("Muhammad Abdallah", "Mohamed Abdulla"),
    ("Usama Laden", "Osama bin Laden"),
    ("Otieno Odhiambo", "Odhiambo Otieno"),
    ("Dr. Jane W. Kamau", "Jane W Kamau"),
    ("José Peña", "Jose Pena"),
    ("Ng'ang'a Mwangi", "Nganga Mwangi"),
    ("Saddiq Khalif", "Sadik Kalif"),
    ("Yusuf Ibrahim Noor", "Yusuf Ibrahim Nur"),
    ("ABDUL-KADIR Omar", "Abdulkadir Omar"),
    ("Abdul Kadir Omar", "Abdulkadir Omar"),
    ("Anne-Marie Njeri", "Annemarie Njeri"),
    ("Said al-Hassan", "Said Al Hassan"),
]
# Two people.
OTHERS = [
    ("Hassan Ali", "Hussein Ali"),
    ("Fatuma Ali", "Fatuma Hassan Omar"),
    ("Jane Wanjiru", "Jane Nyambura"),
    ("Peter Otieno", "Peter Kamau"),
    ("Mohamed", "Mohamed Abdi Warsame"),
    ("Ali", "Ali Hassan"),
    ("Grace Achieng", "Joseph Kony"),
]


def score(one, other):
    return max((each.score for each in Names([(1, other)]).like(one, threshold=0)), default=0)


@pytest.mark.parametrize(("one", "other"), SAME)
def test_one_person_is_one_however_spelt(one, other):
    assert score(one, other) >= THRESHOLD
    assert score(other, one) >= THRESHOLD


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_two_people_are_two(one, other):
    assert score(one, other) < THRESHOLD
    assert score(other, one) < THRESHOLD


class Crowd:
    """A made-up people: some of its names are very common, as everywhere."""

    def __init__(self, seed, *, people) -> None:
        self.random = random.Random(seed)
        self.words = [self._word() for _ in range(people)]
        self.weights = [1 / (rank + 5) for rank in range(people)]
        self.names = [self.name() for _ in range(people)]

    def _word(self):
        count = self.random.choice([2, 3, 3, 4])
        end = self.random.choice(["", "", "n", "d", "m", "r"])
        return "".join(self.random.choices(SYLLABLES, k=count)) + end

    def name(self):
        count = self.random.choice([2, 3, 3, 4])
        return " ".join(self.random.choices(self.words, self.weights, k=count))

    def spelt(self, name, *, slips):
        """The same, its words shuffled, with slips of the pen."""
        words = name.split()
        self.random.shuffle(words)
        said = " ".join(words)
        for _ in range(slips):
            at = self.random.choice([at for at, char in enumerate(said) if char != " "])
            letter = self.random.choice("abcdefghijklmnoprstuwyz")
            said = self.random.choice(
                [
                    said[:at] + said[at + 1 :],
                    said[:at] + letter + said[at:],
                    said[:at] + letter + said[at + 1 :],
                ]
            )
        return said


def test_slips_are_found_and_found_fast():
    crowd = Crowd(7, people=10_000)
    names = Names(enumerate(crowd.names))
    asked = crowd.random.sample(range(len(crowd.names)), 400)
    started = time.perf_counter()
    for slips, wanted in ((0, 0.99), (1, 0.94), (2, 0.70)):
        found = 0
        for number in asked:
            likes = names.like(crowd.spelt(crowd.names[number], slips=slips))
            found += any(like.name == crowd.names[number] for like in likes)
        assert found >= wanted * len(asked), f"{slips} slips: {found} of {len(asked)}"
    assert (time.perf_counter() - started) / (3 * len(asked)) < 0.02


def test_people_of_another_tongue_are_left_in_peace():
    """Negative control: a list of one people hits hardly anybody of another."""
    listed, ours = Crowd(7, people=10_000), Crowd(8, people=2_000)
    names = Names(enumerate(listed.names))
    hit = sum(bool(names.like(name)) for name in ours.names)
    assert hit < 0.02 * len(ours.names), hit


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=4).map(" ".join))
def test_any_text_is_a_name_or_none_and_is_like_itself(name):
    words = words_of(name)
    likes = Names([(1, name)]).like(name)
    if words:
        assert likes
        assert likes[0].score == 1.0
    else:
        assert not likes


@settings(max_examples=200)
@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12))
def test_a_word_folds_once(word):
    assert folded(word)


def test_a_word_of_no_use_alone_does_not_slow_the_rest():
    names = Names([(number, "x" * 300) for number in range(10)])
    assert names.like("x" * 5_000)
    assert not names.like(" ".join(["y"] * 1_000))

"""
Names compared, however they are spelt: an index of a list's names that a person's is held against.

A name is a set of words: their order says nothing, and no typing is free of slips. Words are
folded first, so that what differs only by who wrote it down is the same: Maxamed and Mohamed,
Cabdi and Abdi, Xasan and Hassan. No method known covers East Africa's spellings unfolded.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Generic, TypeVar

from rapidfuzz.distance import JaroWinkler

# Of 50,000 made-up names with one slip and their words shuffled, 96 in a hundred are found at this
# (0.88: 97, and twice as many of other people's; 0.94: 95). tests/core/test_names.py holds it.
THRESHOLD: Final = 0.92

# Two words less alike than this are two words.
_WORD_MIN: Final = 0.82
# What a word that only one of two names has weighs, beside those that both have.
_ODD_WEIGHT: Final = 0.5
_BONES_MIN: Final = 4
_SAME_BONES: Final = 0.95
_WORDS_MAX: Final = 12
_WORD_LENGTH_MAX: Final = 40

# They tell nobody from anybody else.
_PARTICLES: Final = frozenset(
    {"al", "bin", "bint", "binti", "dr", "el", "haji", "hon", "ibn"}
    | {"mr", "mrs", "ms", "prof", "sheikh", "von", "wa"}
)
# What is written apart, with a hyphen, or as one: Abdul Kadir; Anne-Marie, but not al-Hassan.
_JOINED: Final = re.compile(
    r"\b(abd[aeu]l|abdu|(?!(?:al|el|bin)\b)[^\W\d_]+(?=-))[ -]+(?=[^\W\d_])"
)
_FOLDS: Final = (
    (r"^c(?=[aeiou])", ""),  # Somali: a sound that others do not write
    ("x", "h"),
    ("kh|q", "k"),
    ("dh", "d"),
    ("ph", "f"),
    ("ou|oo|o|w(?=[^aeiou]|$)", "u"),
    ("ee|e|y", "i"),
    (r"(.)\1+", r"\1"),
    (r"(?<=.)h$", ""),
)

Tag = TypeVar("Tag", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Likeness(Generic[Tag]):
    """
    A name of the index that is like the one asked for.

    Args:
        tag: Whose name it is, by whoever made the index.
        name: The name, as the list has it.
        score: From 0 to 1; 1 is the same.
        words: Which word was held against which.
    """

    tag: Tag
    name: str
    score: float
    words: tuple[tuple[str, str], ...]


def words_of(name: str) -> tuple[str, ...]:
    """A name's words in plain small letters, without those that tell nobody apart."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss")).casefold()
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    plain = re.sub("['`\N{RIGHT SINGLE QUOTATION MARK}]", "", plain)
    plain = re.sub(_JOINED, r"\1", plain)
    found = [word[:_WORD_LENGTH_MAX] for word in re.findall(r"[^\W\d_]+", plain)]
    return tuple(word for word in found if word not in _PARTICLES)[:_WORDS_MAX] or tuple(found[:1])


@lru_cache(maxsize=100_000)
def folded(word: str) -> str:
    """A word as it sounds, more or less: what is spelt in many ways has one."""
    sound = word
    for written, heard in _FOLDS:
        sound = re.sub(written, heard, sound)
    return sound or word


def _keys(sound: str) -> set[str]:
    """Under what a word is looked up: its beginning, its end, its consonants."""
    return {f"<{sound[:3]}", f">{sound[-3:]}", f"={_bones(sound)}"}


def _bones(sound: str) -> str:
    return sound[0] + re.sub("[aiu]", "", sound[1:])


class Names(Generic[Tag]):
    """
    An index of many names. Holds them in memory: some hundred bytes each.

    A word is looked up under its keys and weighed against those few alone; names are then found
    by the words that are like it. A word that met none of its keys, after slips both at its
    beginning and its end, is not found; the other words of the name may still be enough.
    """

    def __init__(self, named: Iterable[tuple[Tag, str]]) -> None:
        """Take in names, each with a tag that says whose it is."""
        self._names: list[tuple[Tag, str, tuple[str, ...]]] = []
        self._having: dict[str, list[int]] = defaultdict(list)
        self._under: dict[str, set[str]] = defaultdict(set)
        self._memory: dict[str, list[tuple[str, float]]] = {}
        for tag, name in named:
            words = words_of(name)
            for word in set(words):
                self._having[word].append(len(self._names))
            self._names.append((tag, name, words))
        for word in self._having:
            for key in _keys(folded(word)):
                self._under[key].add(word)

    def __len__(self) -> int:
        return len(self._names)

    def like(self, name: str, *, threshold: float = THRESHOLD) -> list[Likeness[Tag]]:
        """The names that are like this one, the likest first."""
        asked = words_of(name)
        met: dict[int, int] = defaultdict(int)
        for word in set(asked):
            here = {place for other, _ in self._like(word) for place in self._having[other]}
            for place in here:
                met[place] += 1
        # One common word of several makes nobody suspicious.
        wanted = min(2, len(set(asked)))
        found = []
        for place, count in met.items():
            if count >= wanted:
                tag, listed, words = self._names[place]
                score, pairs = self._compare(asked, words)
                if score >= threshold:
                    found.append(Likeness(tag, listed, round(score, 3), pairs))
        return sorted(found, key=lambda each: -each.score)

    def _like(self, word: str) -> list[tuple[str, float]]:
        """The words of the index that are like one, and how much. Remembered: people share them."""
        if (known := self._memory.get(word)) is None:
            if len(self._memory) > 50_000:  # noqa: PLR2004 - some megabytes
                self._memory.clear()
            near = set().union(*(self._under.get(key, ()) for key in _keys(folded(word))))
            alike = ((other, likeness(word, other)) for other in near)
            known = [(other, score) for other, score in alike if score >= _WORD_MIN]
            self._memory[word] = known
        return known

    def _compare(
        self, asked: Sequence[str], listed: Sequence[str]
    ) -> tuple[float, tuple[tuple[str, str], ...]]:
        """How alike two names are: their words paired off, the likest first."""
        if len(asked) == 1 or len(listed) == 1:
            same = len(asked) == len(listed) and folded(asked[0]) == folded(listed[0])
            return (1.0, ((asked[0], listed[0]),)) if same else (0.0, ())
        alike: list[tuple[float, int, int]] = []
        for mine, word in enumerate(asked):
            scores = dict(self._like(word))
            alike += [
                (scores[other], mine, theirs)
                for theirs, other in enumerate(listed)
                if other in scores
            ]
        alike.sort(reverse=True)
        pairs: dict[int, int] = {}
        total = weight = 0.0
        for score, mine, theirs in alike:
            if mine not in pairs and theirs not in pairs.values():
                pairs[mine] = theirs
                heft = len(asked[mine]) + len(listed[theirs])
                total += score * heft
                weight += heft
        taken = set(pairs.values())
        odd = sum(len(word) for mine, word in enumerate(asked) if mine not in pairs)
        odd += sum(len(word) for theirs, word in enumerate(listed) if theirs not in taken)
        if len(pairs) < 2:  # noqa: PLR2004 - as above
            return 0.0, ()
        said = tuple((asked[mine], listed[theirs]) for mine, theirs in pairs.items())
        return total / (weight + _ODD_WEIGHT * odd), said


def likeness(one: str, other: str) -> float:
    """How alike two words are, from 0 to 1, as written or as they sound."""
    if one == other:
        return 1.0
    sounds = folded(one), folded(other)
    written = JaroWinkler.similarity(one, other)
    heard = JaroWinkler.similarity(*sounds)
    # The same four consonants are one word, whatever the vowels; three may be Hassan and Hussein.
    bones = _bones(sounds[0])
    is_one = len(bones) >= _BONES_MIN and bones == _bones(sounds[1])
    return max(written, 0.99 * heard, _SAME_BONES if is_one else 0)

"""What a process remembers of sessions: the newest, and no longer than Redis does."""

from __future__ import annotations

import pytest

from menus.memories import Memories, Memory

MEMORY = Memory("+254712000001 *384#", "digest", "token", b"{}")


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def memories(clock):
    return Memories(ttl_seconds=300, monotonic=clock)


def test_what_was_put_is_taken_once(memories):
    memories.put("one", MEMORY)
    assert memories.taken("one") is MEMORY
    assert memories.taken("one") is None


@pytest.mark.parametrize(("seconds", "found"), [(299, MEMORY), (301, None)])
def test_nothing_is_remembered_for_longer_than_its_session(memories, clock, seconds, found):
    memories.put("one", MEMORY)
    clock.now += seconds
    assert memories.taken("one") is found


def test_what_is_old_makes_room_though_nobody_asks_for_it(memories, clock):
    memories.put("old", MEMORY)
    memories.put("again", MEMORY)
    clock.now += 200
    memories.put("again", MEMORY)
    clock.now += 101
    memories.put("new", MEMORY)
    clock.now -= 101
    assert memories.taken("old") is None
    assert memories.taken("again") is MEMORY

"""The menu map is what the code says, and every screen on it is as it must be."""

from __future__ import annotations

import pytest
from redis import Redis

from atlas.__main__ import FOLDER, made, outdated
from atlas.answers import booked, is_numbered
from atlas.world import Worlds
from menus.screens import SCREENS


@pytest.mark.parametrize("screen", SCREENS.values(), ids=SCREENS)
def test_every_screen_has_answers(screen):
    assert is_numbered(screen) or booked(screen), (
        f"{screen.__module__}.{screen.__name__} asks for something to be typed:"
        " say in atlas/answers.py what"
    )


@pytest.mark.timeout(600)  # it walks every way, in both languages
def test_the_menus_are_whole_and_the_map_shows_them(servers):
    server, redis_url = servers
    with Redis.from_url(redis_url) as redis, Worlds(server, redis) as worlds:
        atlas = made(worlds)
    assert atlas.faults == []
    assert outdated(atlas.files, FOLDER) == [], "write them anew: ./run menus"

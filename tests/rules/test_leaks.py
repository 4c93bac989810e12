"""What looks for leaks finds them, wherever they are."""

from __future__ import annotations

import leaks
import pytest
from rq.serializers import JSONSerializer


@pytest.mark.parametrize(
    "said",
    ["1*4071*5823", '{"pin": "4071"}', "x4071x", b"\xa44071", JSONSerializer.dumps(["4071"])],
)
def test_a_secret_is_found(said):
    assert leaks.tells(said, "4071")


@pytest.mark.parametrize(
    "said",
    [
        '{"timestamp":"2026-11-28T18:30:10.574071Z"}',
        "0.4071",
        "a40718c3",
        "+254712340711",
        "18:30:10,4071",
    ],
)
def test_digits_of_something_else_are_none(said):
    assert not leaks.tells(said, "4071")


def test_every_kind_of_key_is_looked_into(house):
    redis = house.redis
    redis.set("text", "a 4071 b")
    redis.hset("hash", "pin", "4071")
    redis.lpush("list", "4071")
    redis.sadd("set", "4071")
    redis.zadd("sorted", {"4071": 1})
    redis.xadd("stream", {"pin": "4071"})
    redis.set("of:4071", "named")
    redis.set("none", "5823")
    found = {"text", "hash", "list", "set", "sorted", "stream", "of:4071"}
    assert {key.decode() for key in leaks.keys(redis, "4071")} == found

"""One-time codes against a simple model of them, in whatever order things happen."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from hypothesis.stateful import run_state_machine_as_test as play
from test_otp import NUMBER, OTHER, Codes

from core.otp import NoOtp, OtpExpired, OtpSpent, OtpUsed, OtpWrong, Purpose, TooManyOtps

STEPS = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
NUMBERS = st.sampled_from([NUMBER, OTHER])
PURPOSES = st.sampled_from([Purpose.PIN_RESET, Purpose.SMS_ORDER])


class Machine(RuleBasedStateMachine):
    """Of each number and purpose: when codes were sent, and what is left of the newest."""

    house = None

    def __init__(self) -> None:
        super().__init__()
        assert self.house is not None
        self.house.reset()
        self.codes = Codes(self.house)
        self.sent = {}
        self.newest = {}

    @rule(number=NUMBERS, purpose=PURPOSES)
    def issue(self, number, purpose) -> None:
        now = self.house.clock()
        sent = self.sent.setdefault((number, purpose), [])
        quarter = [at for at in sent if at > now - timedelta(minutes=15)]
        day = [at for at in sent if at > now - timedelta(days=1)]
        untils = [quarter[-3] + timedelta(minutes=15)] if len(quarter) >= 3 else []
        untils += [day[-10] + timedelta(days=1)] if len(day) >= 10 else []
        if untils:
            with pytest.raises(TooManyOtps) as refused:
                self.codes.issue(number, purpose)
            assert refused.value.until == max(untils)
            return
        id_ = self.codes.issue(number, purpose)
        sent.append(now)
        newest = {"id": id_, "code": self.codes.read(id_), "at": now, "left": 5, "used": False}
        before = self.newest.get((number, purpose))
        self.newest[number, purpose] = newest
        if before is not None:
            assert self.codes.read(before["id"]) is None

    @rule(number=NUMBERS, purpose=PURPOSES, is_right=st.booleans())
    def check(self, number, purpose, is_right) -> None:
        newest = self.newest.get((number, purpose))
        typed = "000000" if newest is None else newest["code"]
        if newest is not None and not is_right:
            typed = f"{(int(typed) + 1) % 1_000_000:06}"
        expected = self._expected(newest, is_right)
        if isinstance(expected, int):
            assert self.codes.check(typed, number, purpose) == expected
            return
        with pytest.raises(expected) as refused:
            self.codes.check(typed, number, purpose)
        if expected is OtpWrong:
            assert refused.value.tries_left == newest["left"]

    def _expected(self, newest, is_right):
        """What the model makes of an answer."""
        if newest is None:
            return NoOtp
        if newest["used"]:
            return OtpUsed
        if self.house.clock() >= newest["at"] + timedelta(minutes=5):
            return OtpExpired
        if not newest["left"]:
            return OtpSpent
        if is_right:
            newest["used"] = True
            return newest["id"]
        newest["left"] -= 1
        return OtpWrong if newest["left"] else OtpSpent

    @rule(seconds=st.sampled_from([1, 60, 299, 300, 900, 3600, 86_400]))
    def time_passes(self, seconds) -> None:
        self.house.clock.passes(seconds=seconds)


@pytest.fixture
def machine(house):
    Machine.house = house
    yield Machine
    house.reset()


def test_codes_do_what_the_model_does(machine):
    play(machine, settings=STEPS)

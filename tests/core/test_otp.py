"""One-time codes: right once, within five minutes and five tries, and nobody has too many sent."""

from __future__ import annotations

import json
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

import leaks
import pytest
from sqlalchemy.exc import DBAPIError

from core import otp
from core.audit import Actor
from core.db import transact
from core.errors import DomainError
from core.otp import NoOtp, OtpExpired, OtpSpent, OtpUsed, OtpWrong, Purpose, TooManyOtps
from core.otp_codes import Code, InvalidOtp, OtpKey, mention, mentioned
from core.subscribers import Language

KEY = OtpKey("one-time codes of the tests")
NUMBER = "+254712000001"
OTHER = "+254733000002"


@pytest.fixture
def codes(house):
    return Codes(house)


class Codes:
    """Codes as the doors ask for and check them: a wrong try is kept though it is refused."""

    def __init__(self, house) -> None:
        self.house = house

    def issue(self, number=NUMBER, purpose=Purpose.PIN_RESET, *, address=None, role="web"):
        now = self.house.clock()
        with self.house.databases[role].begin() as session:
            return otp.issue(
                session,
                msisdn=number,
                purpose=purpose,
                language=Language.ENGLISH,
                key=KEY,
                address=address,
                now=now,
            ).id

    def check(self, typed, number=NUMBER, purpose=Purpose.PIN_RESET, *, role="web", key=KEY):
        now, actor = self.house.clock(), Actor(number, "ussd", "test")

        def work(session):
            try:
                return otp.check(
                    session,
                    msisdn=number,
                    purpose=purpose,
                    typed=typed,
                    key=key,
                    actor=actor,
                    now=now,
                )
            except DomainError as error:
                return error

        found = transact(self.house.databases[role], work)
        if isinstance(found, DomainError):
            raise found
        return found

    def read(self, issued):
        """What its message will say."""
        with self.house.databases["worker"].begin() as session:
            code = otp.code_of(session, otp=issued, key=KEY, now=self.house.clock())
        return None if code is None else str(code)

    def wrong(self, issued):
        return f"{(int(self.read(issued)) + 1) % 1_000_000:06}"

    def tries(self, issued):
        return self.house.bank.one("SELECT wrong_tries FROM otps WHERE id = :id", id=issued)


class TestACode:
    def test_is_six_digits_and_right_once(self, codes):
        issued = codes.issue()
        code = codes.read(issued)
        assert re.fullmatch(r"[0-9]{6}", code)
        assert codes.check(f" {code[:3]} {code[3:]}\n") == issued
        with pytest.raises(OtpUsed):
            codes.check(code)
        assert codes.read(issued) is None

    @pytest.mark.parametrize("typed", ["", "12345", "1234567", "12a456", "١٢٣٤٥٦", "1234_56"])
    def test_what_is_no_code_counts_as_no_try(self, codes, typed):
        issued = codes.issue()
        with pytest.raises(InvalidOtp):
            codes.check(typed)
        assert codes.tries(issued) == 0

    def test_none_was_sent(self, codes):
        with pytest.raises(NoOtp):
            codes.check("123456")

    def test_is_good_for_five_minutes(self, codes):
        issued = codes.issue()
        code = codes.read(issued)
        codes.house.clock.passes(minutes=4, seconds=59)
        assert codes.read(issued) == code
        codes.house.clock.passes(seconds=1)
        assert codes.read(issued) is None
        with pytest.raises(OtpExpired):
            codes.check(code)

    def test_has_five_tries(self, codes):
        issued = codes.issue()
        code, wrong = codes.read(issued), codes.wrong(issued)
        for left in (4, 3, 2, 1):
            with pytest.raises(OtpWrong) as refused:
                codes.check(wrong)
            assert refused.value.tries_left == left
        for typed in (wrong, code, code):
            with pytest.raises(OtpSpent):
                codes.check(typed)
        assert codes.tries(issued) == 5
        [(actor, detail)] = codes.house.bank.rows(
            "SELECT actor, detail FROM audit_log WHERE action = 'otp-tries-used'"
        )
        assert (actor, detail) == (NUMBER, {"purpose": "pin-reset", "tries": 5})

    def test_the_fifth_try_may_be_the_right_one(self, codes):
        issued = codes.issue()
        for _ in range(4):
            with pytest.raises(OtpWrong):
                codes.check(codes.wrong(issued))
        assert codes.check(codes.read(issued)) == issued

    def test_a_new_one_ends_the_older(self, codes):
        first = codes.issue()
        old = codes.read(first)
        second = codes.issue()
        assert codes.read(first) is None
        if old != codes.read(second):
            with pytest.raises(OtpWrong):
                codes.check(old)
        assert codes.check(codes.read(second)) == second

    def test_a_used_one_does_not_bring_the_older_back(self, codes):
        old = codes.read(codes.issue())
        codes.check(codes.read(codes.issue()))
        with pytest.raises(OtpUsed):
            codes.check(old)

    def test_is_for_its_purpose_and_its_number_alone(self, codes):
        code = codes.read(codes.issue())
        with pytest.raises(NoOtp):
            codes.check(code, purpose=Purpose.LOG_IN)
        with pytest.raises(NoOtp):
            codes.check(code, OTHER)
        other = codes.issue(purpose=Purpose.LOG_IN)
        if codes.read(other) != code:
            with pytest.raises(OtpWrong):
                codes.check(code, purpose=Purpose.LOG_IN)
        codes.check(code)

    def test_is_nothing_under_another_key(self, codes):
        code = codes.read(codes.issue())
        with pytest.raises(OtpWrong):
            codes.check(code, key=OtpKey("another"))

    def test_by_its_hash_where_it_was_never_let_in(self, codes):
        issued = codes.issue(purpose=Purpose.SMS_ORDER)
        veiled = KEY.veil(msisdn=NUMBER, digits=codes.read(issued))
        assert mentioned(f"ndio {mention(veiled)}") == veiled
        assert mentioned("ndio 123456") is None
        who = {"msisdn": NUMBER, "purpose": Purpose.SMS_ORDER, "key": KEY}
        with codes.house.databases["worker"].begin() as session:
            checked = otp.check_veiled(
                session,
                veiled=veiled,
                actor=Actor(NUMBER, "sms", "sms:1"),
                now=codes.house.clock(),
                **who,
            )
        assert checked == issued

    def test_codes_are_spread_evenly(self):
        """Ten thousand of them: every digit about as often in every place (χ² below 0.1 %)."""
        drawn = [
            KEY.derive(otp=each, purpose="pin-reset", msisdn=NUMBER, salt=b"s" * 16).digits
            for each in range(10_000)
        ]
        for place in range(6):
            counts = Counter(code[place] for code in drawn)
            assert sum((counts[str(digit)] - 1000) ** 2 / 1000 for digit in range(10)) < 27.9


class TestHowMany:
    def test_three_in_a_quarter_of_an_hour(self, codes):
        for _ in range(3):
            codes.issue()
            codes.house.clock.passes(minutes=1)
        with pytest.raises(TooManyOtps) as refused:
            codes.issue()
        assert refused.value.until == codes.house.clock() + timedelta(minutes=12)
        codes.issue(OTHER)
        codes.issue(purpose=Purpose.SMS_ORDER)
        codes.house.clock.passes(minutes=12)
        codes.issue()

    def test_ten_a_day(self, codes):
        began = codes.house.clock()
        for _ in range(10):
            codes.issue()
            codes.house.clock.passes(minutes=6)
        codes.house.clock.passes(minutes=10)
        with pytest.raises(TooManyOtps) as refused:
            codes.issue()
        assert refused.value.until == began + timedelta(days=1)

    def test_twenty_from_one_address(self, codes):
        for each in range(20):
            codes.issue(f"+2547120100{each:02}", Purpose.SIGN_UP, address="192.0.2.7")
        with pytest.raises(TooManyOtps):
            codes.issue(OTHER, Purpose.SIGN_UP, address="192.0.2.7")
        codes.issue(OTHER, Purpose.SIGN_UP, address="192.0.2.8")
        codes.issue(NUMBER, Purpose.PIN_RESET)
        kept = codes.house.bank.rows("SELECT * FROM otps")
        assert "192.0.2" not in str(kept)

    def test_a_home_has_few_however_many_addresses_it_has(self, codes):
        for each in range(5):
            home = f"2001:db8:1:2:{each}::7"
            codes.issue(f"+2547120100{each:02}", Purpose.LOG_IN, address=home)
        with pytest.raises(TooManyOtps):
            codes.issue(OTHER, Purpose.LOG_IN, address="2001:db8:1:2:ffff::")
        codes.issue(OTHER, Purpose.LOG_IN, address="2001:db8:1:3::7")
        codes.issue(NUMBER, Purpose.LOG_IN, address="::ffff:192.0.2.7")
        for each in range(19):
            codes.issue(f"+2547120101{each:02}", Purpose.LOG_IN, address="192.0.2.7")
        with pytest.raises(TooManyOtps):
            codes.issue("+254712010200", Purpose.LOG_IN, address="192.0.2.7")

    def test_no_bound_tells_who_signs_up_from_who_logs_in(self, codes):
        for each in range(60):
            codes.issue(f"+2547120100{each:02}", Purpose.SIGN_UP)
        with pytest.raises(TooManyOtps):
            codes.issue(OTHER, Purpose.LOG_IN)
        codes.house.clock.passes(minutes=1)
        for _ in range(2):
            codes.issue("+254712010000", Purpose.LOG_IN)
        with pytest.raises(TooManyOtps):
            codes.issue("+254712010000", Purpose.LOG_IN)

    def test_sixty_a_minute_in_all_and_somebody_is_woken(self, codes, capfd):
        for each in range(60):
            codes.issue(f"+2547120100{each:02}")
        with pytest.raises(TooManyOtps):
            codes.issue(OTHER)
        told = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
        [alarm] = [each for each in told if each["event"] == "otp.too_many_in_all"]
        assert alarm["level"] == "error"
        codes.issue(OTHER, Purpose.SMS_ORDER)
        codes.house.clock.passes(minutes=1)
        codes.issue(OTHER)

    def test_a_refused_one_sends_nothing(self, codes):
        for _ in range(5):
            with suppress(TooManyOtps):
                codes.issue()
        assert len(codes.house.messages(NUMBER)) == 3 - 2  # the two older ones are over

    def test_who_guesses_at_many_numbers_has_one_try_each(self, codes, capfd):
        for each in range(20):
            number = f"+2547120100{each:02}"
            wrong = codes.wrong(codes.issue(number))
            for _ in range(5):
                with suppress(OtpWrong, OtpSpent):
                    codes.check(wrong, number)
        issued = codes.issue()
        with pytest.raises(OtpSpent):
            codes.check(codes.wrong(issued))
        with pytest.raises(OtpSpent):
            codes.check(codes.read(issued))
        assert "otp.guessed_at" in capfd.readouterr().err
        right = codes.issue()  # whoever types it right never notices
        assert codes.check(codes.read(right)) == right
        codes.issue(purpose=Purpose.SMS_ORDER)
        with pytest.raises(OtpWrong):
            codes.check("000000", purpose=Purpose.SMS_ORDER, key=OtpKey("another"))
        codes.house.clock.passes(hours=1)
        issued = codes.issue()
        with pytest.raises(OtpWrong):
            codes.check(codes.wrong(issued))


class TestAtOnce:
    @staticmethod
    def contest(many, work):
        """Let many do it at once; return what came of each."""

        def one(_):
            try:
                return work()
            except DomainError as error:
                return type(error)

        with ThreadPoolExecutor(max_workers=many) as hands:
            return Counter(hands.map(one, range(50)))

    def test_fifty_guesses_are_five_tries(self, codes):
        issued = codes.issue()
        wrong = codes.wrong(issued)
        came = self.contest(16, lambda: codes.check(wrong))
        assert came == {OtpWrong: 4, OtpSpent: 46}
        assert codes.tries(issued) == 5

    def test_of_fifty_right_answers_one_is_taken(self, codes):
        issued = codes.issue()
        code = codes.read(issued)
        came = self.contest(16, lambda: codes.check(code))
        assert came == {issued: 1, OtpUsed: 49}

    def test_of_fifty_asked_for_three_are_sent(self, codes):
        came = self.contest(16, lambda: codes.issue() and "sent")
        assert came == {"sent": 3, TooManyOtps: 47}


class TestWhatIsKept:
    def test_a_code_is_read_by_its_owner_and_by_nobody_else(self, codes, capfd):
        issued = codes.issue()
        code = codes.read(issued)
        with suppress(OtpWrong):
            codes.check(codes.wrong(issued))
        [message] = codes.house.messages(NUMBER)
        assert message["message"] == (
            f"{code} is your Kabambe code for a new PIN. It is good for 5 minutes. Never tell it"
            " to anyone. If you did not ask for it, your money is safe: do nothing."
        )
        codes.check(code)
        assert leaks.tables(codes.house.bank, code) == []
        assert leaks.keys(codes.house.redis, code) == []
        assert not leaks.tells("".join(capfd.readouterr()), code)
        assert code not in repr(KEY.derive(otp=1, purpose="x", msisdn="y", salt=b"z"))
        assert code not in repr(Code(code))

    def test_a_message_that_comes_too_late_is_not_sent(self, codes):
        codes.issue()
        codes.house.clock.passes(minutes=6)
        assert codes.house.messages(NUMBER) == []
        [(state, why)] = codes.house.bank.rows("SELECT state, why FROM messages")
        assert (state, why) == ("failed", "the code is over")

    def test_a_message_in_doubt_is_not_repeated(self, codes):
        codes.issue()
        codes.house.fault(next=1, kind="accept-reset")
        codes.house.send_messages()
        codes.house.clock.passes(minutes=1)
        codes.house.send_messages()
        assert codes.house.bank.one("SELECT state FROM messages") == "unknown"

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE otps SET used_at = NULL",
            "UPDATE otps SET wrong_tries = wrong_tries - 1",
            "UPDATE otps SET salt = 'x'",
            "UPDATE otps SET expires_at = expires_at + interval '1 day'",
            "UPDATE otps SET wrong_tries = 6",
        ],
    )
    def test_the_database_takes_nothing_back(self, codes, change):
        issued = codes.issue()
        with suppress(OtpWrong):
            codes.check(codes.wrong(issued))
        if "used_at" in change:
            codes.check(codes.read(issued))
        with pytest.raises(DBAPIError):
            codes.house.bank.run(change)

    @pytest.mark.parametrize("role", ["web", "worker"])
    def test_no_role_may_delete_or_rewrite_one(self, codes, role):
        codes.issue(role=role)
        for change in ("DELETE FROM otps", "UPDATE otps SET msisdn = '+254733000002'"):
            with pytest.raises(DBAPIError, match="permission denied"):
                transact(
                    codes.house.databases[role],
                    lambda session, change=change: session.connection().exec_driver_sql(change),
                )

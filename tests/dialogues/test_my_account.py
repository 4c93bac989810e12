from __future__ import annotations

from datetime import timedelta

import pytest
from compliance import JANE, JOHN, Office, entry

from core import holds, reversals, subscribers
from core.money import Currency, Money, kes

NAME, LIMITS, CLOSE = ("3", "3"), ("3", "4"), ("3", "5")
CLOSED = "Your account is closed. Thank you for using Kabambe."


@pytest.fixture
def office(house):
    return Office(house)


def told(house, person) -> list[str]:
    return [each["message"] for each in house.messages(person.phone.msisdn)]


class TestMyName:
    def test_is_shown_and_changed(self, house, wanjiru, otieno):
        wanjiru.phone.dial().types(*NAME).sees("""
            Others see you as Wanjiru.
            Type another name:
            0. Back 00. Home
        """)
        wanjiru.phone.types("mama njeri").sees("""
            Others will see you as Mama Njeri.
            Enter PIN to confirm:
            0. Back 00. Home
        """)
        wanjiru.phone.types("4071").ends_with("Others now see you as Mama Njeri.")
        assert told(house, wanjiru) == [
            (
                "Others now see you as Mama Njeri on Kabambe. If that was not you, dial *384# and"
                " change your PIN."
            )
        ]
        otieno.phone.dial().types("1", "0712000001")
        assert "Mama Njeri" in otieno.phone.screen
        [(detail,)] = house.bank.rows("SELECT detail FROM audit_log WHERE action = 'name-set'")
        assert detail == {"was": "Wanjiru", "name": "Mama Njeri"}

    def test_jina_langu(self, amina):
        amina.phone.dial().types(*NAME).sees("""
            Wengine wanakuona kama Amina.
            Andika jina lingine:
            0. Rudi 00. Mwanzo
        """)
        amina.phone.types("Halima", "4071").ends_with("Sasa wengine wanakuona kama Halima.")

    def test_needs_letters_and_the_pin(self, wanjiru):
        wanjiru.phone.dial().types(*NAME, "Njeri 2")
        assert wanjiru.phone.screen.startswith("Use your own name, 2 to 20 letters, A to Z.")
        wanjiru.phone.types("Njeri", "9999")
        assert wanjiru.phone.screen.startswith("Wrong PIN. Tries left: 2")
        wanjiru.phone.dial().types("3")
        assert wanjiru.phone.screen.startswith("My account: Wanjiru")

    def test_is_changed_once_a_day(self, house, wanjiru):
        wanjiru.phone.dial().types(*NAME, "Njeri", "4071")
        wanjiru.phone.dial().types(*NAME, "Safaricom")
        assert wanjiru.phone.screen.startswith("You can change your name again after 22/11 09:30.")
        house.clock.passes(days=1)
        wanjiru.phone.dial().types(*NAME, "Njeri Wa Nne", "4071")
        wanjiru.phone.ends_with("Others now see you as Njeri Wa Nne.")

    def test_of_who_has_shown_papers_stays_as_it_is(self, office, wanjiru):
        office.show_papers(office.id_of(wanjiru))
        wanjiru.phone.dial().types(*NAME, "Njeri").sees("""
            Your name is from your ID. Please contact us to change it.
            Others see you as Wanjiru.
            Type another name:
            0. Back 00. Home
        """)

    def test_is_screened_anew(self, office, wanjiru, otieno):
        office.load(entry("1", "Omar Hassan Malik"))
        office.screen()
        me = office.id_of(wanjiru)
        assert office.standing(me) == "clear"
        wanjiru.phone.dial().types(*NAME, "Njeri Kamau", "4071")
        assert office.standing(me) == "new"
        wanjiru.phone.dial().types("1", "0733000002", "100")
        assert wanjiru.phone.screen.startswith("We are still checking your account.")
        office.screen()
        assert office.standing(me) == "clear"
        office.house.clock.passes(days=1)
        wanjiru.phone.dial().types(*NAME, "Omar Hassan Malik", "4071")
        office.screen()
        assert office.standing(me) == "hit"

    def test_does_not_free_who_is_on_a_list(self, office, wanjiru):
        me = office.id_of(wanjiru)
        office.load(entry("1", "X", numbers=("+254712000001",)))
        office.screen()
        assert office.standing(me) == "hit"
        wanjiru.phone.dial().types(*NAME, "Njeri Kamau", "4071")
        assert wanjiru.phone.screen == "Others now see you as Njeri Kamau."
        assert office.standing(me) == "hit"
        office.screen()
        assert office.standing(me) == "hit"


class TestMyLimits:
    def test_are_said_in_words_and_what_is_left_of_them(self, wanjiru, otieno):
        wanjiru.phone.dial().types("1", "0733000002", "500", "4071")
        wanjiru.phone.dial().types(*LIMITS).sees("""
            My limits
            Send at once: KES 250,000.00
            Left today: KES 499,500.00
            Left this month: KES 4,999,500.00
            Hold at most: KES 500,000.00
            0. Back 00. Home
        """)

    def test_viwango_vyangu(self, amina):
        amina.phone.dial().types(*LIMITS).sees("""
            Viwango vyangu
            Kutuma kwa mara moja: KES 250,000.00
            Kilichobaki leo: KES 500,000.00
            Kilichobaki mwezi huu: KES 5,000,000.00
            98. Zaidi
            0. Rudi 00. Mwanzo
        """)
        amina.phone.types("98").sees("""
            Viwango vyangu
            Kuwa na hadi: KES 500,000.00
            0. Rudi 00. Mwanzo
        """)

    def test_are_none_for_who_may_move_nothing(self, house, wanjiru):
        house.bank.run("UPDATE subscribers SET tier = 'suspended'")
        wanjiru.phone.dial().types(*LIMITS).ends_with(
            "Your account cannot move money now. Please contact us."
        )


class TestCloseAccount:
    @pytest.fixture
    def empty(self, otieno):
        return otieno

    def test_asks_for_the_pin_and_is_for_good(self, house, empty, wanjiru):
        empty.phone.dial().types(*CLOSE).sees("""
            Close +254733000002 for good?
            Enter PIN to close:
            0. Back 00. Home
        """)
        empty.phone.types("9999")
        assert empty.phone.screen.startswith("Wrong PIN. Tries left: 2")
        empty.phone.types("4071").ends_with(CLOSED)
        [said] = told(house, empty)
        assert said == (
            "Your Kabambe account, wallet 3847363387177, was closed on 21/11/26 09:30. You can"
            " open another a day later. If that was not you, contact us."
        )
        wanjiru.phone.dial().types("1", "0733000002")
        assert wanjiru.phone.screen.startswith("That number has no account here.")
        wanjiru.phone.dial().types("1", "3847363387177")
        assert wanjiru.phone.screen.startswith("That number has no account here.")

    def test_funga_akaunti(self, amina, otieno):
        amina.phone.dial().types(*CLOSE, "4071").sees("""
            Bado una KES 1,250.00. Zitume kwanza, au wasiliana nasi.
            Ufunge +254711000003 kabisa?
            Weka PIN kufunga:
            0. Rudi 00. Mwanzo
        """)

    def test_is_no_login_any_more(self, house, empty):
        before = house.phone(empty.phone.msisdn)
        before.dial().types("1", "0712000009")
        empty.phone.dial().types(*CLOSE, "4071")
        before.dial()
        assert before.screen.startswith("Welcome to Kabambe.")

    def test_a_session_that_began_before_ends_at_the_pin(self, house, empty, wanjiru):
        before = house.phone(empty.phone.msisdn)
        before.dial().types("3", "1", "1")
        empty.phone.dial().types(*CLOSE, "4071").ends_with(CLOSED)
        before.types("4071").ends_with("This account is closed.")

    def test_the_number_may_open_another_a_day_later(self, house, empty, wanjiru):
        empty.phone.dial().types(*CLOSE, "4071")
        empty.phone.dial().types("1", "Juma", "5823", "5823", "1").ends_with(
            "You closed an account. You can open another after 22/11 09:30."
        )
        house.clock.passes(days=1)
        empty.phone.dial().types("1", "Juma", "5823", "5823", "1")
        assert empty.phone.screen.startswith("Welcome Juma.")
        wanjiru.phone.dial().types("1", "0733000002", "100", "4071")
        assert wanjiru.phone.screen.startswith("Sent KES 100.00 to Juma.")
        empty.phone.dial().types("2")
        assert "Wanjiru" in empty.phone.screen  # his own statement, and none of the one before

    def test_wants_nothing_left_in_any_currency(self, office, empty):
        office.fund(office.id_of(empty), Money(1_25, Currency.USD))
        empty.phone.dial().types(*CLOSE, "4071")
        assert empty.phone.screen.startswith("You still have USD 1.25. Send it first")

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ("UPDATE subscribers SET tier = 'suspended'", "Please contact us to close"),
            ("UPDATE subscribers SET screening = 'hit'", "Please contact us to close"),
            (
                (
                    "INSERT INTO cases (kind, subscriber_id, window_from, opened_at)"
                    " SELECT 'velocity', id, now(), now() FROM subscribers"
                ),
                "Please contact us to close",
            ),
        ],
    )
    def test_says_no_more_than_contact_us_where_staff_look(self, house, empty, change, said):
        house.bank.run(change)
        empty.phone.dial().types(*CLOSE, "4071")
        assert empty.phone.screen.startswith(said)

    def test_waits_for_what_was_ordered(self, house, empty, wanjiru):
        """An order of nothing is none: it takes one whose money has gone again meanwhile."""
        house.bank.run(
            "INSERT INTO orders (key, kind, reference, subscriber_id, args, args_hash, placed_at)"
            " SELECT 'late', 'transfer', 'T000000000', id, '{}', '', now() FROM subscribers"
            " WHERE msisdn = '+254733000002'"
        )
        empty.phone.dial().types(*CLOSE, "4071")
        assert empty.phone.screen.startswith("Something is not settled yet:")
        house.bank.run("DELETE FROM orders")
        empty.phone.types("4071").ends_with(CLOSED)

    def test_waits_for_money_that_is_asked_back(self, house, office, empty, wanjiru):
        """Of whoever asks, and of whoever was sent it."""
        wanjiru.phone.dial().types("1", "0733000002", "106", "4071")
        reference = house.bank.one("SELECT reference FROM orders ORDER BY id LIMIT 1")
        asked = office.do(
            reversals.request,
            subscriber=office.id_of(wanjiru),
            reference=reference,
            actor=JANE,
            reason="wrong number",
        )
        office.spend_all(office.id_of(empty))
        empty.phone.dial().types(*CLOSE, "4071")
        assert empty.phone.screen.startswith("Something is not settled yet:")
        office.do(reversals.decline, reversal=asked, actor=JOHN, note="spent")
        empty.phone.types("4071").ends_with(CLOSED)

    def test_waits_for_debts_to_be_paid(self, house, office, empty, wanjiru):
        wanjiru.phone.dial().types("1", "0733000002", "106", "4071")
        office.spend_all(office.id_of(empty))
        reference = house.bank.one("SELECT reference FROM orders ORDER BY id LIMIT 1")
        asked = office.do(
            reversals.request,
            subscriber=office.id_of(wanjiru),
            reference=reference,
            actor=JANE,
            reason="wrong number",
        )
        office.do(reversals.approve, reversal=asked, actor=JOHN, note="so it was")
        empty.phone.dial().types(*CLOSE, "4071")
        assert empty.phone.screen.startswith("You owe us KES 106.00. Please contact us.")

    def test_waits_for_money_set_aside(self, house, office, wanjiru):
        now = house.clock()
        office.do(
            holds.place,
            owner=office.id_of(wanjiru),
            amount=kes(1_250_00),
            key="k",
            expires_at=now + timedelta(hours=1),
        )
        wanjiru.phone.dial().types(*CLOSE, "4071")
        assert wanjiru.phone.screen.startswith("Something is not settled yet:")

    def test_leaves_the_book_as_it_is(self, house, office, empty, wanjiru):
        """Staff find who has left by their wallet number; what was posted stays posted."""
        wanjiru.phone.dial().types("1", "0733000002", "106", "4071")
        office.spend_all(office.id_of(empty))
        entries = house.bank.one("SELECT count(*) FROM entries")
        empty.phone.dial().types(*CLOSE, "4071").ends_with(CLOSED)
        assert house.bank.one("SELECT count(*) FROM entries") == entries
        number = house.bank.one(
            "SELECT wallet_number FROM subscribers WHERE msisdn = '+254733000002'"
        )
        with house.databases["worker"]() as session:
            found = subscribers.by_wallet_number(session, number=number, closed_too=True)
        assert found.name == "Otieno"
        wanjiru.phone.dial().types("2")
        assert "Otieno" in wanjiru.phone.screen
        [(action, actor)] = house.bank.rows(
            "SELECT action, actor FROM audit_log ORDER BY id DESC LIMIT 1"
        )
        assert (action, actor) == ("account-closed", "+254733000002")

"""Cut off, and dialled again: where they were, as far as that is safe, and never a PIN."""

from __future__ import annotations

import pytest
from currencies import tell_rates
from mpesa_user import MpesaUser

from core import rails
from core.money import kes
from core.rails import Provider
from menus.screens import account
from menus.sessions import LEFT_SECONDS

OFFERED = "Your last call was cut off.\n1. Continue: send money\n2. Main menu"
HOME = "Kabambe. Balance KES 1,250.00\n1. Send money"


@pytest.fixture
def cut_off(wanjiru, otieno):
    """Wanjiru, whose call was lost when she had typed whom to send to."""
    wanjiru.phone.dial().types("1", "0733000002").hangs_up()
    return wanjiru


def left(house):
    [key] = house.redis.keys("kabambe:ussd-left:*")
    return key


class TestGoingOn:
    def test_goes_on_where_it_was(self, cut_off, otieno):
        phone = cut_off.phone.redials()
        phone.sees("""
            Your last call was cut off.
            1. Continue: send money
            2. Main menu
        """)
        phone.types("1").sees("""
            To Otieno 0733***002
            Amount in KES:
            0. Back 00. Home
        """)
        phone.types("500", "4071")
        assert phone.screen.startswith("Sent KES 500.00 to Otieno.")
        assert otieno.balance == kes(500_00)

    def test_or_at_the_main_menu(self, cut_off):
        phone = cut_off.phone.redials().types("2")
        assert phone.screen.startswith(HOME)
        phone.hangs_up()
        assert phone.redials().screen.startswith(HOME)

    def test_kwa_kiswahili(self, amina, otieno):
        amina.phone.dial().types("1").hangs_up()
        amina.phone.redials().sees("""
            Simu yako ya mwisho ilikatika.
            1. Endelea: tuma pesa
            2. Menyu kuu
        """)

    def test_the_way_back_is_the_one_that_was_come(self, cut_off):
        phone = cut_off.phone.redials().types("1", "0")
        assert phone.screen.startswith("Send money to (phone number):")
        assert phone.types("0").screen.startswith(HOME)

    def test_other_keys_are_not_on_its_menu(self, cut_off):
        phone = cut_off.phone.redials()
        for key in ("0", "98", "00"):
            if phone.on_the_line:
                phone.types(key)
        assert phone.screen.startswith("We did not understand you 3 times.")

    def test_the_balance_is_what_it_is_now(self, house, cut_off, otieno):
        rich = house.register("+254712000009", name="Rich", balance="1,000")
        rich.phone.dial().types("1", "0712000001", "100", "4071")
        phone = cut_off.phone.redials().types("1", "00")
        assert phone.screen.startswith("Kabambe. Balance KES 1,350.00")

    def test_a_repeat_of_the_hop_is_the_same_to_the_byte(self, cut_off):
        phone = cut_off.phone.redials().again().types("1").again()
        assert phone.screen.startswith("To Otieno")

    def test_cut_off_again_at_the_offer_it_is_offered_again(self, house, cut_off):
        kept = house.redis.get(left(house))
        cut_off.phone.redials().hangs_up()
        assert house.redis.get(left(house)) == kept, "and is no younger for it"
        assert cut_off.phone.redials().screen == OFFERED
        assert cut_off.phone.types("1").screen.startswith("To Otieno")
        cut_off.phone.hangs_up()
        assert cut_off.phone.redials().screen == OFFERED

    def test_the_menus_on_the_way_are_there_to_go_back_to(self, wanjiru):
        wanjiru.phone.dial().types("5", "1").hangs_up()
        phone = wanjiru.phone.redials()
        assert phone.screen.splitlines()[1] == "1. Continue: pay a till"
        assert phone.types("1").screen.startswith("Till number:")
        assert phone.types("0").screen.startswith("More services")

    def test_a_page_that_was_turned_to(self, wanjiru):
        """In a menu of two pages, the page is the one that was read."""
        first = wanjiru.phone.dial().types("3").screen
        assert "98. More" in first
        second = wanjiru.phone.types("98").screen
        assert second.splitlines()[-2].startswith("6. ")
        wanjiru.phone.hangs_up()
        assert wanjiru.phone.redials().types("1").screen == second


class TestWhatWasChosen:
    """Is not asked for again, wherever the call was cut off; what was fetched is had anew."""

    def test_somebody_of_before(self, wanjiru, otieno):
        wanjiru.phone.dial().types("1", "0733000002", "50", "4071")
        asked = wanjiru.phone.dial().types("1", "1", "1").screen
        assert asked.startswith("To Otieno 0733***002\nAmount in KES:")
        wanjiru.phone.hangs_up()
        phone = wanjiru.phone.redials()
        assert phone.screen == OFFERED
        assert phone.types("1").screen == asked
        assert phone.types("0").screen.startswith("Send money to (phone number):")

    def test_somebody_of_before_cut_off_at_the_pin(self, wanjiru, otieno):
        wanjiru.phone.dial().types("1", "0733000002", "50", "4071")
        wanjiru.phone.dial().types("1", "1", "1", "20").hangs_up()
        phone = wanjiru.phone.redials().types("1")
        assert phone.screen.startswith("To Otieno 0733***002\nAmount in KES:")

    @pytest.mark.parametrize("typed", [(), ("100",)], ids=["at the amount", "at the confirmation"])
    @pytest.mark.parametrize(
        ("way", "named"),
        [
            (("5", "5", "1"), "Continue: deposit from M-Pesa"),
            (("5", "5", "2"), "Continue: withdraw to M-Pesa"),
            (("5", "3", "1"), "Continue: exchange money"),
        ],
        ids=["deposit", "withdraw", "exchange"],
    )
    def test_of_m_pesa_and_of_exchange(self, house, wanjiru, way, named, typed):
        tell_rates(house, USDKES=("129", "131"))
        asked = wanjiru.phone.dial().types(*way).screen
        assert "Amount in" in asked
        wanjiru.phone.types(*typed).hangs_up()
        phone = wanjiru.phone.redials()
        assert phone.screen.splitlines()[1] == f"1. {named}"
        assert phone.types("1").screen == asked
        assert "00. Home" in phone.screen
        assert not phone.types("0").screen.startswith("Your last call")

    def test_the_bounds_are_todays(self, house, wanjiru):
        wanjiru.phone.dial().types("5", "5", "2").hangs_up()
        house.bank.run(
            "INSERT INTO limits SELECT (jsonb_populate_record(l, jsonb_build_object("
            "'valid_from', :at, 'order_min', 5000, 'order_max', 20000))).*"
            " FROM limits l WHERE kind = 'withdrawal'",
            at=house.clock.now,
        )
        try:
            assert "50 to 200:" in wanjiru.phone.redials().types("1").screen
        finally:
            house.bank.run("DELETE FROM limits WHERE valid_from = :at", at=house.clock.now)

    def test_the_price_is_todays(self, house, wanjiru):
        tell_rates(house, USDKES=("129", "131"))
        before = wanjiru.phone.dial().types("5", "3", "1").screen
        wanjiru.phone.hangs_up()
        house.clock.passes(seconds=30)
        tell_rates(house, USDKES=("139", "141"))
        after = wanjiru.phone.redials().types("1").screen
        assert "Amount in KES" in after
        assert after.splitlines()[0] != before.splitlines()[0]

    def test_where_there_is_no_price_any_more_it_is_the_menu_before(self, house, wanjiru):
        tell_rates(house, USDKES=("129", "131"))
        wanjiru.phone.dial().types("5", "3", "1").hangs_up()
        house.clock.passes(minutes=9)
        phone = wanjiru.phone.redials()
        assert phone.screen.splitlines()[1] == "1. Continue: more services"

    def test_where_payouts_have_stopped_it_says_so(self, house, wanjiru):
        wanjiru.phone.dial().types("5", "5", "2").hangs_up()
        MpesaUser(house).rail.worker(
            lambda session: rails.open_breaker(
                session, provider=Provider.MPESA, code="1", why="a test", now=house.clock()
            )
        )
        phone = wanjiru.phone.redials().types("1")
        assert phone.screen.startswith("M-Pesa payouts are paused.")


class TestNeverIntoOrPastAPin:
    def test_from_the_confirmation_it_is_the_amount_that_is_asked_again(self, cut_off, otieno):
        phone = cut_off.phone.redials().types("1", "500")
        assert "Enter PIN" in phone.screen
        phone.hangs_up()
        phone.redials().types("1")
        assert phone.screen.startswith("To Otieno 0733***002\nAmount in KES:")
        phone.types("4071")  # is an amount here, and more than she has
        assert phone.on_the_line
        assert otieno.balance == kes(0)

    def test_the_fee_is_quoted_again(self, house, cut_off, otieno):
        phone = cut_off.phone.redials().types("1", "500")
        phone.hangs_up()
        house.bank.run(
            "INSERT INTO fee_tiers VALUES ('transfer', 'KES', :at, 1, 700, 0)", at=house.clock.now
        )
        try:
            assert "Fee KES 7.00" in phone.redials().types("1", "500").screen
        finally:
            house.bank.run("DELETE FROM fee_tiers WHERE flat = 700")

    def test_a_new_pin_is_begun_again_before_the_old_one(self, wanjiru):
        wanjiru.phone.dial().types("3", "1", "1", "4071", "5823").hangs_up()
        phone = wanjiru.phone.redials()
        assert phone.screen.splitlines()[1] == "1. Continue: my account"
        assert phone.types("1").screen.startswith("PIN\n1. Change PIN")
        assert phone.types("1").screen.startswith("Enter your PIN now:")

    def test_nor_to_what_points_into_the_old_sessions_text(self, wanjiru, monkeypatch):
        """Were its screens not guarded, the one that holds a span would still be left out."""
        for screen in (account.OldPin, account.NewPin, account.RepeatPin):
            monkeypatch.setattr(screen, "guarded", False)
        wanjiru.phone.dial().types("3", "1", "1", "4071", "5823").hangs_up()
        phone = wanjiru.phone.redials().types("1")
        assert phone.screen.startswith("New PIN of 4 digits:")

    @pytest.mark.parametrize("typed", [1, 2, 3, 4], ids=["name", "pin", "again", "terms"])
    def test_registering_goes_on_at_the_name(self, house, typed):
        phone = house.phone("+254720000009")
        phone.dial().types("2", *("Njeri", "5823", "5823")[: typed - 1]).hangs_up()
        phone.redials().sees("""
            Simu yako ya mwisho ilikatika.
            1. Endelea: fungua akaunti
            2. Menyu kuu
        """)
        phone.types("1")
        assert phone.screen.startswith("Jina lako, kama wengine watakavyoliona:")
        phone.types("Njeri", "5823", "5823", "1")
        assert phone.screen.startswith("Karibu Njeri.")

    def test_no_pin_and_no_number_is_in_what_is_kept(self, house, wanjiru):
        wanjiru.phone.dial().types("3", "1", "1", "4071", "5823").hangs_up()
        key = left(house)
        kept = key + house.redis.get(key)
        for secret in (b"4071", b"5823"):
            assert secret not in kept
        assert b"712000001" not in key
        assert 0 < house.redis.ttl(key) <= LEFT_SECONDS == 600


class TestNoOffer:
    def test_at_a_first_screen(self, wanjiru):
        wanjiru.phone.dial().hangs_up()
        assert wanjiru.phone.redials().screen.startswith(HOME)

    def test_back_at_home(self, wanjiru):
        wanjiru.phone.dial().types("1", "0").hangs_up()
        assert wanjiru.phone.redials().screen.startswith(HOME)

    def test_after_ten_minutes(self, house, cut_off):
        house.redis.expire(left(house), 0)
        assert cut_off.phone.redials().screen.startswith(HOME)

    def test_to_another_caller(self, cut_off, otieno):
        assert otieno.phone.redials().screen.startswith("Kabambe. Balance KES 0.00")

    def test_at_another_service_code(self, house, cut_off):
        form = {"sessionId": "ATUid_other", "phoneNumber": cut_off.phone.msisdn, "text": ""}
        said = house.client.post(
            "/ussd/africastalking/sandbox", data=form | {"serviceCode": "*385#"}
        )
        assert said.text.startswith(f"CON {HOME}")

    def test_when_more_was_dialled(self, cut_off):
        phone = cut_off.phone.redials("*384*4#")
        assert phone.screen.startswith("Help")

    def test_after_an_end_of_ours(self, wanjiru):
        wanjiru.phone.dial().types("3", "2", "1")
        assert not wanjiru.phone.on_the_line
        assert wanjiru.phone.redials().screen.startswith(HOME)

    def test_of_what_was_fetched(self, wanjiru):
        wanjiru.phone.dial().types("2", "1").hangs_up()
        assert wanjiru.phone.redials().screen.startswith(HOME)

    def test_of_limits_as_they_were(self, wanjiru, otieno):
        """Most of the day's may have gone meanwhile, from another phone or by SMS."""
        wanjiru.phone.dial().types("3", "4").hangs_up()
        wanjiru.phone.redials().types("1")
        assert wanjiru.phone.screen.startswith("My account:")

    @pytest.mark.parametrize(
        ("was", "is_"),
        [(b"send.Amount", b"send.HowMuch"), (b'"number"', b'"digits"'), (b'"stack"', b'"pile"')],
    )
    def test_when_a_deploy_has_renamed_something(self, house, cut_off, was, is_):
        key = left(house)
        assert was in house.redis.get(key)
        house.redis.set(key, house.redis.get(key).replace(was, is_), keepttl=True)
        assert cut_off.phone.redials().screen.startswith(HOME)

    def test_to_register_once_registered(self, house):
        phone = house.phone("+254720000009")
        phone.dial().types("1", "Njeri").hangs_up()
        house.register("+254720000009", name="Njeri")
        assert phone.redials().screen.startswith("Kabambe. Balance KES 0.00")


class TestThreeTries:
    def test_end_with_help(self, wanjiru):
        phone = wanjiru.phone.dial().types("1", "hello", "goodbye")
        assert phone.screen.startswith("That is not a phone number.\nSend money to")
        phone.types("what").ends_with(
            "We did not understand you 3 times. Dial *384*4# for help, or *384# to begin again."
        )
        assert phone.redials("*384*4#").screen.startswith("Help")

    def test_kwa_kiswahili(self, amina):
        amina.phone.dial().types("9", "", "hapana").ends_with(
            "Hatukukuelewa mara 3. Piga *384*4# upate msaada, au *384# uanze upya."
        )

    def test_nobody_is_sent_to_a_help_they_do_not_have(self, house):
        phone = house.phone("+254720000009").dial().types("7", "8", "9")
        phone.ends_with("We did not understand you 3 times. Dial *384# to begin again.")

    def test_are_in_a_row_on_one_screen(self, wanjiru, otieno):
        phone = wanjiru.phone.dial().types("1", "x", "y", "0", "1", "x", "y", "0733000002", "x")
        assert phone.types("y", "500").screen.startswith("Send KES 500.00")

    def test_what_is_understood_and_refused_is_not_counted(self, wanjiru, otieno):
        phone = wanjiru.phone.dial().types("1", "0799999999", "0799999999", "0799999999")
        assert phone.screen.startswith("That number has no account here.")
        phone.types("0733000002", "9000", "8000", "7000", "6000")
        assert phone.screen.startswith("You have KES 1,250.00.")

    def test_nor_are_pins_which_have_their_own_lock(self, wanjiru, otieno):
        phone = wanjiru.phone.dial().types("1", "0733000002", "500", "1", "12", "123", "12345")
        assert phone.screen.startswith("A PIN is 4 digits.")
        phone.dial().types("3", "1", "1", "4071", "1234", "0000", "5823", "5824")
        assert phone.screen.startswith("The PINs are not the same. Start again.")

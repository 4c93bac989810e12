from __future__ import annotations

from core.money import kes

VERIFIED = "holder = 'personal' AND tier = 'verified'"


def test_wanjiru_sends_otieno_500(wanjiru, otieno):
    wanjiru.phone.dial("*384#").sees("""
        Kabambe. Balance KES 1,250.00
        1. Send money
        2. Statement
        3. My account
        4. Help
        5. More services
    """)
    wanjiru.phone.types("1").sees("""
        Send money to (phone number):
        1. Sent to before
        0. Back
    """)
    wanjiru.phone.types("0733000002").sees("""
        To Otieno 0733***002
        Amount in KES:
        0. Back 00. Home
    """)
    wanjiru.phone.types("500").sees("""
        Send KES 500.00 to Otieno 0733***002
        Fee KES 5.00, total KES 505.00
        Enter PIN to confirm:
        0. Back 00. Home
    """)
    wanjiru.phone.types("4071").ends_with("""
        Sent KES 500.00 to Otieno.
        Fee KES 5.00. Balance KES 745.00.
        Ref REF
    """)

    assert wanjiru.balance == kes(745_00)
    assert otieno.balance == kes(500_00)
    wanjiru.phone.received(
        "REF Sent KES 500.00 to Otieno 0733***002 on 21/11/26 09:30. Fee KES 5.00."
        " Balance KES 745.00. Seal SEAL"
    )
    otieno.phone.received(
        "REF You received KES 500.00 from Wanjiru 0712***001 on 21/11/26 09:30. Fee KES 0.00."
        " Balance KES 500.00. Seal SEAL"
    )


def test_kwa_kiswahili(amina, otieno):
    amina.phone.dial("*384#").sees("""
        Kabambe. Salio KES 1,250.00
        1. Tuma pesa
        2. Taarifa
        3. Akaunti yangu
        4. Msaada
        5. Huduma zaidi
    """)
    amina.phone.types("1", "0733000002", "50").sees("""
        Tuma KES 50.00 kwa Otieno 0733***002
        Ada KES 1.30, jumla KES 51.30
        Weka PIN kuthibitisha:
        0. Rudi 00. Mwanzo
    """)
    amina.phone.types("4071").ends_with("""
        Umetuma KES 50.00 kwa Otieno.
        Ada KES 1.30. Salio KES 1,198.70.
        Kumb REF
    """)
    amina.phone.received(
        "REF Umetuma KES 50.00 kwa Otieno 0733***002 tarehe 21/11/26 09:30. Ada KES 1.30."
        " Salio KES 1,198.70. Muhuri SEAL"
    )


def test_the_receipts_of_one_transfer_share_their_reference(house, wanjiru, otieno):
    phone = wanjiru.phone.dial().types("1", "0733000002", "500", "4071")
    reference = phone.screen.split()[-1]

    for msisdn in (wanjiru.phone.msisdn, otieno.phone.msisdn):
        [message] = house.messages(msisdn)
        assert message["message"].startswith(reference)
        assert message["from"] == "KABAMBE"


def test_a_repeated_hop_gets_the_same_answer_and_moves_money_once(wanjiru, otieno):
    wanjiru.phone.dial().types("1", "0733000002", "500", "4071").again().again()

    assert otieno.balance == kes(500_00)


def test_the_call_drops_before_the_pin(wanjiru, otieno):
    wanjiru.phone.dial().types("1", "0733000002", "500").hangs_up()

    assert wanjiru.balance == kes(1250_00)


def test_back_changes_the_amount(wanjiru, otieno):
    wanjiru.phone.dial().types("1", "0733000002", "500", "0").sees("""
        To Otieno 0733***002
        Amount in KES:
        0. Back 00. Home
    """)
    wanjiru.phone.types("20", "4071")

    assert otieno.balance == kes(20_00)


def test_home_gives_it_all_up(wanjiru, otieno):
    wanjiru.phone.dial().types("1", "0733000002", "500", "00")

    assert wanjiru.phone.screen.startswith("Kabambe. Balance")
    assert wanjiru.balance == kes(1250_00)


def test_the_number_may_be_typed_as_people_write_it(wanjiru, otieno):
    for number in ("0733 000 002", "+254733000002", "254733000002", "733000002", "0733-000-002"):
        wanjiru.phone.dial().types("1", number)
        assert wanjiru.phone.screen.startswith("To Otieno"), number


def test_the_amount_may_be_typed_as_people_write_it(wanjiru, otieno):
    for amount in ("KES 1,000", "1000", "1,000.00", "ksh1000", "1000/=", "Ksh. 1000"):
        wanjiru.phone.dial().types("1", "0733000002", amount)
        assert wanjiru.phone.screen.startswith("Send KES 1,000.00 to Otieno"), amount


def test_98_is_an_amount_like_any_other(wanjiru, otieno):
    wanjiru.phone.dial().types("1", "0733000002", "98", "4071")
    assert otieno.balance == kes(98_00)
    wanjiru.phone.dial("*384*1*0733000002*98#").types("4071")
    assert otieno.balance == kes(196_00)


def test_what_is_no_number_or_no_amount_is_asked_again(wanjiru, otieno):
    for typed, line in {
        "hello": "That is not a phone number.",
        "0733": "That is not a phone number.",
        "0*1": "That is not a phone number.",
        "0799999999": "That number has no account here.",
        "0712000001": "That is your own number.",
    }.items():
        wanjiru.phone.dial().types("1", typed)
        assert wanjiru.phone.screen.startswith(f"{line}\nSend money to"), typed
    for typed in ("abc", "-5", "1e3", "0.001", "٣", "1,00", "", "0733000002", "NaN"):
        wanjiru.phone.dial().types("1", "0733000002", typed)
        assert wanjiru.phone.screen.startswith("That is not an amount.\nTo Otieno"), typed


def test_too_much_is_refused_on_the_same_screen(wanjiru, otieno):
    wanjiru.phone.dial().types("1", "0733000002", "1250").sees("""
        You have KES 1,250.00. You need KES 1,262.50 in all.
        To Otieno 0733***002
        Amount in KES:
        0. Back 00. Home
    """)


def test_limits_are_said_before_the_pin(house, otieno):
    house.register("+254712000009", name="Rich", balance="900,000")
    phone = house.phone("+254712000009")
    phone.dial().types("1", "0733000002", "250,000.01")
    assert phone.screen.startswith("The most at once is KES 250,000.00.")
    phone.types("0.50")
    assert phone.screen.startswith("The least is KES 1.00.")
    for _ in range(2):
        house.phone("+254712000009").dial().types("1", "0733000002", "250,000", "4071")
    phone.dial().types("1", "0733000002", "100")
    assert phone.screen.startswith("Daily limit KES 500,000.00. Left today: KES 0.00.")

    house.clock.passes(days=1)
    phone.dial().types("1", "0733000002", "100")
    assert phone.screen.startswith("Send KES 100.00")


def test_the_hours_number_of_transfers_is_limited(house, wanjiru, otieno):
    house.bank.run(f"UPDATE limits SET hour_count_max = 2 WHERE {VERIFIED}")
    try:
        for _ in range(2):
            wanjiru.phone.dial().types("1", "0733000002", "10", "4071")
        wanjiru.phone.dial().types("1", "0733000002", "10")
        assert wanjiru.phone.screen.startswith("You have sent 2 times this hour. Try later.")
        house.clock.passes(hours=1)
        wanjiru.phone.dial().types("1", "0733000002", "10", "4071")
    finally:
        house.bank.run(f"UPDATE limits SET hour_count_max = 60 WHERE {VERIFIED}")

    assert otieno.balance == kes(30_00)


def test_money_that_went_between_the_amount_and_the_pin_is_refused_by_the_ledger(wanjiru, otieno):
    first, second = wanjiru.phone, wanjiru.phone.house.phone(wanjiru.phone.msisdn)
    first.dial().types("1", "0733000002", "700")
    second.dial().types("1", "0733000002", "700", "4071")
    first.types("4071").ends_with("You have KES 543.00. You need KES 707.00 in all.")

    assert otieno.balance == kes(700_00)
    messages = [each["message"] for each in wanjiru.phone.house.messages(first.msisdn)]
    assert sum("Not sent: KES 700.00" in message for message in messages) == 1
    assert len(messages) == 2


def test_a_fee_that_changed_after_it_was_shown_is_not_charged(house, wanjiru, otieno):
    wanjiru.phone.dial().types("1", "0733000002", "500")
    house.bank.run(
        "INSERT INTO fee_tiers VALUES ('transfer', 'KES', :at, 1, 700, 0)",
        at=house.clock.now,
    )
    try:
        wanjiru.phone.types("4071").ends_with("The fee is now KES 7.00. Please try again.")
    finally:
        house.bank.run("DELETE FROM fee_tiers WHERE flat = 700")

    assert wanjiru.balance == kes(1250_00)


def test_to_a_wallet_number(house, wanjiru, otieno):
    ours = "SELECT wallet_number FROM subscribers WHERE name = :n"
    his, hers = (house.bank.one(ours, n=name) for name in ("Otieno", "Wanjiru"))
    wanjiru.phone.dial().types("1", f"{his[:4]} {his[4:]}", "500", "4071")
    assert otieno.balance == kes(500_00)
    wanjiru.phone.dial().types("1", hers)
    assert wanjiru.phone.screen.startswith("That is your own number.")
    wrong = his[:-1] + str((int(his[-1]) + 1) % 10)
    wanjiru.phone.types(wrong)
    assert wanjiru.phone.screen.startswith("That is not a wallet number. Check the 13 digits.")

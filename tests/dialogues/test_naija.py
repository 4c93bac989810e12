"""The third language, from the menu to the receipt; what it lacks is said in English."""

from __future__ import annotations

from handset import Handset


def test_choosing_naija_by_sms(house, wanjiru):
    handset = Handset(house, wanjiru.phone.msisdn)
    handset.writes("LANG NAIJA").hears("Kabambe go dey follow you talk Naija now.")
    handset.writes("LANG EN").hears("Kabambe now speaks English to you.")


def test_choosing_naija(house, wanjiru, otieno):
    phone = wanjiru.phone
    phone.dial().types("3", "2", "3").ends_with("From now on we go dey follow you talk Naija.")
    phone.dial().sees("""
        Kabambe. Your money na KES 1,250.00
        1. Send money
        2. Wetin enter, wetin comot
        3. My account
        4. Help me
        5. Other tins
    """)
    phone.types("1", "0733000002", "100").sees("""
        Send KES 100.00 give Otieno 0733***002
        Fee KES 2.00, all KES 102.00
        Put PIN to confirm:
        0. Back 00. Start
    """)
    phone.types("4071")
    assert phone.screen.startswith("KES 100.00 don reach Otieno.\nFee KES")

    otieno.phone.dial().types("3", "2", "3")
    wanjiru.phone.dial().types("1", "0733000002", "100", "4071")
    told = [each["message"] for each in house.messages(otieno.phone.msisdn)]
    assert sum("You received KES 100.00 from Wanjiru" in message for message in told) == 1
    assert sum("Wanjiru 0712***001 send you KES 100.00" in message for message in told) == 1

"""What an app is shown: lines, statements, receipts and their proof, people, what comes back."""

from __future__ import annotations

import csv
import io

from app import App, kes

SEND = {"to": "0733000002", "amount": kes("10.00"), "pin": "4071"}


class TestTransactions:
    def test_come_page_by_page_and_new_ones_shift_nothing(self, wanjiru_s, otieno):
        for _ in range(5):
            wanjiru_s.posts("/transfers", SEND)
        first = wanjiru_s.gets("/transactions?limit=2").json
        wanjiru_s.posts("/transfers", SEND)
        second = wanjiru_s.gets(f"/transactions?limit=2&cursor={first['next']}").json
        third = wanjiru_s.gets(f"/transactions?limit=2&cursor={second['next']}").json
        numbers = [each["number"] for page in (first, second, third) for each in page["lines"]]
        assert numbers == [6, 5, 4, 3, 2, 1]
        assert third["next"] is None

    def test_are_filtered_by_what_they_are_and_which_way_they_went(
        self, house, wanjiru_s, otieno_s
    ):
        wanjiru_s.posts("/transfers", SEND)
        wanjiru_s.posts("/transfers", SEND | {"amount": kes("300.00")})
        otieno_s.posts("/transfers", {"to": "0712000001", "amount": kes("105.00"), "pin": "4071"})

        def shown(query):
            page = wanjiru_s.gets(f"/transactions?{query}").json
            return [each["amount"]["value"] for each in page["lines"]]

        assert shown("kind=transfer") == ["105.00", "-300.00", "-10.00"]
        assert shown("kind=transfer&direction=in") == ["105.00"]
        assert shown("direction=out") == ["-300.00", "-10.00"]
        assert shown("kind=opening") == ["1250.00"]
        assert shown("until=2026-11-21") == []
        assert len(shown("since=2026-11-21&until=2026-11-22")) == 4

    def test_what_makes_no_sense_is_refused(self, wanjiru_s):
        for query, code in (
            *(("limit=0", "invalid-request"), ("limit=101", "invalid-request")),
            *(("kind=gift", "invalid-request"), ("cursor=abc", "invalid-request")),
            *(("unknown=1", "invalid-request"), ("since=yesterday", "invalid-request")),
            ("since=2026-11-22&until=2026-11-21", "invalid-period"),
        ):
            wanjiru_s.gets(f"/transactions?{query}")
            wanjiru_s.is_refused(422, code)
        wanjiru_s.gets("/transactions?currency=BTC")
        wanjiru_s.is_refused(404, "unknown-account")

    def test_are_had_as_csv_and_as_pdf(self, wanjiru_s, otieno):
        wanjiru_s.posts("/transfers", SEND)
        answer = wanjiru_s.gets("/transactions.csv?since=2026-11-01")
        assert answer.mimetype == "text/csv"
        assert "attachment" in answer.headers["Content-Disposition"]
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [row["kind"] for row in rows] == ["opening", "opening", "transfer", "closing"]
        answer = wanjiru_s.gets("/transactions.pdf")
        assert answer.mimetype == "application/pdf"
        assert answer.data.startswith(b"%PDF-")


class TestReceipts:
    def test_both_sides_have_one_and_nobody_else(self, house, wanjiru_s, otieno_s, amina):
        reference = wanjiru_s.posts("/transfers", SEND).json["reference"]
        house.sealer.once()
        mine = wanjiru_s.gets(f"/receipts/{reference}").json
        theirs = otieno_s.gets(f"/receipts/{reference}").json
        assert mine["lines"][0]["amount"] == kes("-10.00")
        assert theirs["lines"][0]["amount"] == kes("10.00")
        assert mine["seal"] == theirs["seal"]
        assert f"Seal {mine['seal']}" in house.messages("+254712000001")[-1]["message"]
        stranger = type(wanjiru_s)(wanjiru_s.client, house.logged_in("+254711000003"))
        for path in (f"/receipts/{reference}", f"/receipts/{reference}/proof"):
            stranger.gets(path)
            stranger.is_refused(404, "unknown-order")

    def test_the_proof_is_the_logs_own(self, house, wanjiru_s, otieno, app):
        reference = wanjiru_s.posts("/transfers", SEND).json["reference"]
        wanjiru_s.gets(f"/receipts/{reference}/proof")
        wanjiru_s.is_refused(404, "not-here")
        house.sealer.once()
        proof = wanjiru_s.gets(f"/receipts/{reference}/proof")
        assert proof.mimetype == "text/plain"
        seal = wanjiru_s.gets(f"/receipts/{reference}").json["seal"]
        assert app.gets(f"/log/proof/{seal}").data == proof.data
        assert house.client.get(f"/log/proof/{seal}").data == proof.data


def test_the_log_is_the_same_here_as_at_its_own_door(house, wanjiru, app):
    for path in ("checkpoint", "blocks/0", f"proof/{'0' * 16}"):
        app.gets(f"/log/{path}")
        app.is_refused(404, "not-here")
    house.sealer.once()
    for path in ("checkpoint", "blocks/0"):
        here, there = app.gets(f"/log/{path}"), house.client.get(f"/log/{path}")
        assert (here.status_code, here.data) == (200, there.data)
        assert here.headers["Cache-Control"] == there.headers["Cache-Control"]


class TestPeople:
    def test_are_shown_as_much_as_tells_them_to_who_knows_them(self, house, wanjiru_s, otieno):
        number = house.bank.one("SELECT wallet_number FROM subscribers WHERE name = 'Otieno'")
        for each in ("0733000002", "+254733000002", number):
            assert wanjiru_s.gets(f"/people/{each}").json == {
                "name": "Oti***",
                "number": "0733***002",
            }

    def test_who_tries_out_numbers_is_stopped(self, house, wanjiru, otieno):
        with house.limited(per_minute=30) as client:
            app = App(client, house.logged_in("+254712000001"))
            codes = [app.gets(f"/people/07331000{number:02}").status_code for number in range(14)]
            assert codes == [404] * 10 + [429] * 4
            assert int(app.answer.headers["Retry-After"]) > 0
            app.is_refused(429, "too-many-requests")
            # Nor by any other way that tells who is there.
            for path in ("/transfers/quote", "/transfers"):
                body = SEND if path == "/transfers" else {"to": "0733100050", "amount": kes("1")}
                app.posts(path, body)
                app.is_refused(429, "too-many-requests")

    def test_who_tries_out_numbers_is_one_with_all_keys(self, house, wanjiru, otieno):
        with house.limited(per_minute=30) as client:
            keys = [house.key_of("+254712000001", {"transfer"}) for _time in range(2)]
            apps = [App(client, each) for each in keys]
            codes = [apps[at % 2].gets(f"/people/07331000{at:02}").status_code for at in range(14)]
            assert codes == [404] * 10 + [429] * 4
            quote = {"to": "0733100050", "amount": kes("1")}
            for app in (*apps, App(client, house.logged_in("+254712000001"))):
                app.posts("/transfers/quote", quote)
                app.is_refused(429, "too-many-requests")


class TestReversals:
    def test_what_was_sent_may_be_asked_back_once(self, wanjiru_s, otieno):
        reference = wanjiru_s.posts("/transfers", SEND).json["reference"]
        [line] = wanjiru_s.gets("/reversals/eligible").json["lines"]
        assert line["reference"] == reference
        ask = {"reference": reference, "reason": "Wrong number", "pin": "4071"}
        asked = wanjiru_s.posts("/reversals", ask, key=None)
        assert (asked.status_code, asked.json["state"]) == (201, "requested")
        wanjiru_s.posts("/reversals", ask, key=None)
        wanjiru_s.is_refused(409, "already-requested")
        assert wanjiru_s.gets("/reversals/eligible").json["lines"] == []
        [shown] = wanjiru_s.gets("/reversals").json["reversals"]
        assert shown == {"reference": reference, "state": "requested"}

    def test_only_by_who_sent_it_and_with_their_pin(self, wanjiru_s, otieno_s):
        reference = wanjiru_s.posts("/transfers", SEND).json["reference"]
        ask = {"reference": reference, "reason": "Wrong number", "pin": "4071"}
        otieno_s.posts("/reversals", ask, key=None)
        otieno_s.is_refused(404, "unknown-transfer")
        wanjiru_s.posts("/reversals", ask | {"pin": "1357"}, key=None)
        wanjiru_s.is_refused(403, "wrong-pin")

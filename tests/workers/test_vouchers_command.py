"""`python -m workers.vouchers`: keys, a batch as a file, and a check that asks nobody."""

from __future__ import annotations

import csv
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from processes import ROOT, environment, until

from core.codes import Veil, parse
from core.money import kes
from core.slips import Slip, sign
from workers import vouchers

VEIL = Veil("sandbox-voucher-key")
NEXT_YEAR = (datetime.now(UTC) + timedelta(days=365)).date().isoformat()


@pytest.fixture
def folder(tmp_path):
    assert vouchers.main(["keys", str(tmp_path)]) == 0
    return tmp_path


def issuing(folder: Path, *more: str, count: int = 3) -> list[str]:
    words = f"issue --batch gifts --count {count} --value 500 --until {NEXT_YEAR} --by jane"
    files = ["--key", str(folder / "vouchers-key.pem"), "--out", str(folder / "gifts.csv")]
    return [*words.split(), *files, *more]


def ran(house, *words: str, **how):
    return subprocess.run(
        [sys.executable, "-m", "workers.vouchers", *words],
        cwd=ROOT,
        env=environment(house),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **how,
    )


def rows(folder: Path):
    with (folder / "gifts.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_keys_are_made_once_and_the_private_one_is_nobody_elses(folder, capsys):
    assert (folder / "vouchers-key.pem").stat().st_mode & 0o777 == 0o600
    before = (folder / "vouchers-key.pem").read_bytes()
    assert vouchers.main(["keys", str(folder)]) == vouchers.MISUSED
    assert "never overwritten" in capsys.readouterr().err
    assert (folder / "vouchers-key.pem").read_bytes() == before


def test_a_batch_becomes_a_file_that_only_its_owner_reads(house, folder):
    done = ran(house, *issuing(folder))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Batch 1: 3 vouchers of KES 500.00 in ")
    assert (folder / "gifts.csv").stat().st_mode & 0o777 == 0o600
    assert not list(folder.glob("*.part"))
    found = rows(folder)
    assert list(found[0]) == ["serial", "code", "currency", "value", "until", "slip"]
    assert [row["serial"] for row in found] == ["1-1", "1-2", "1-3"]
    assert {(row["currency"], row["value"]) for row in found} == {("KES", "500.00")}
    assert found[0]["until"].endswith("T21:00:00+00:00"), "the last day ends at Nairobi's midnight"
    kept = house.bank.rows("SELECT code_hash FROM vouchers ORDER BY number")
    assert [bytes(hash_) for (hash_,) in kept] == [VEIL.hash(parse(r["code"])) for r in found]
    assert house.bank.rows("SELECT actor, action FROM audit_log ORDER BY id") == [
        ("staff:jane", "vouchers-issued"),
        ("staff:jane", "vouchers-printed"),
    ]


def test_it_is_never_issued_twice_and_never_overwritten(house, folder):
    assert ran(house, *issuing(folder)).returncode == 0
    first = rows(folder)
    again = ran(house, *issuing(folder))
    assert again.returncode == vouchers.MISUSED
    assert "move it away" in again.stderr
    (folder / "gifts.csv").unlink()
    assert ran(house, *issuing(folder)).returncode == 0
    assert rows(folder) == first
    other = ran(house, *issuing(folder, "--out", str(folder / "x.csv"), count=4))
    assert other.returncode == vouchers.REFUSED
    assert house.bank.one("SELECT count(*) FROM journals") == 1


def test_killed_while_it_writes_it_goes_on_where_it_must(house, folder):
    command = [sys.executable, "-m", "workers.vouchers", *issuing(folder, count=4000)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment(house))
    part = folder / "gifts.csv.part"
    until(lambda: part.exists() and part.stat().st_size > 20_000)
    process.send_signal(signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    assert not (folder / "gifts.csv").exists()
    assert ran(house, *issuing(folder, count=4000)).returncode == 0
    assert not part.exists()
    kept = house.bank.rows("SELECT code_hash FROM vouchers ORDER BY number")
    assert [bytes(hash_) for (hash_,) in kept] == [
        VEIL.hash(parse(r["code"])) for r in rows(folder)
    ]
    assert house.bank.one("SELECT count(*) FROM journals") == 1
    assert len(kept) == 4000


def test_a_subscriber_pays_and_a_cancelled_batch_is_paid_back(house, folder, wanjiru):
    house.clock.now = datetime.now(UTC)
    poor = ran(house, *issuing(folder, "--issuer", "+254712000001"))
    assert poor.returncode == vouchers.REFUSED
    assert "You have KES 1,250.00. You need KES 1,500.00" in poor.stderr
    assert not list(folder.glob("*.csv*"))
    assert ran(house, *issuing(folder, "--issuer", "0712 000 001", count=2)).returncode == 0
    assert wanjiru.balance == kes(250_00)
    done = ran(house, "cancel", "1", "--by", "jane", "--note", "misprinted")
    assert "Batch 1 is cancelled" in done.stdout
    house.relay._swept_at = -60.0
    house.send_messages()
    assert wanjiru.balance == kes(1250_00)
    again = ran(house, "cancel", "1", "--by", "jane", "--note", "x")
    assert (again.returncode, again.stderr) == (1, "That batch of vouchers has ended.\n")


def test_without_a_database_it_says_so(house, folder, tmp_path):
    house_elsewhere = environment(house) | {"DATABASE_URL": f"postgresql:///x?host={tmp_path}"}
    done = subprocess.run(
        [sys.executable, "-m", "workers.vouchers", *issuing(folder)],
        cwd=ROOT,
        env=house_elsewhere,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == vouchers.REFUSED
    assert done.stderr == "PostgreSQL does not answer: start it, and do the same again.\n"


@pytest.mark.parametrize("how", ["open", "absent", "none", "public"])
def test_a_key_that_will_not_do(house, folder, how):
    key = folder / "vouchers-key.pem"
    match how:
        case "open":
            key.chmod(0o640)
        case "absent":
            key.unlink()
        case "none":
            key.write_text("nothing")
        case "public":
            key.write_bytes((folder / "vouchers-public.pem").read_bytes())
    done = ran(house, *issuing(folder))
    assert done.returncode == vouchers.MISUSED
    assert "vouchers-key.pem" in done.stderr
    assert house.bank.one("SELECT count(*) FROM voucher_batches") == 0


class TestCheck:
    """In a process with nothing in its environment: a shop has neither our database nor a word."""

    @pytest.fixture
    def row(self, house, folder):
        assert ran(house, *issuing(folder)).returncode == 0
        return rows(folder)[0]

    def check(self, folder, slip, *more, typed=""):
        key = str(folder / "vouchers-public.pem")
        return subprocess.run(
            [sys.executable, "-m", "workers.vouchers", "check", slip, "--key", key, *more],
            cwd=ROOT,
            env={},
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_says_what_a_slip_says_and_what_it_cannot(self, folder, row):
        done = self.check(folder, row["slip"], "--code", typed=row["code"] + "\n")
        assert (done.returncode, done.stderr) == (0, "")
        assert re.fullmatch(
            r"Signed by us: voucher 1-1 of KES 500\.00\.\nValid until .*\.\n"
            r"The code is this voucher's\.\nWhether it was redeemed already only we can say: .*\n",
            done.stdout,
        )

    def test_finds_another_code_a_forged_slip_and_an_old_one(self, folder, row):
        other = rows(folder)[1]["code"]
        done = self.check(folder, row["slip"], "--code", typed=other + "\n")
        assert (done.returncode, "do not take it" in done.stderr) == (1, True)
        done = self.check(folder, row["slip"].replace("500.00", "900.00"))
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "That is not a voucher of ours.\n"

    def test_of_a_key_that_is_none(self, folder, row):
        (folder / "vouchers-public.pem").write_text("nothing")
        done = self.check(folder, row["slip"])
        assert (done.returncode, "no public key" in done.stderr) == (2, True)


def test_an_expired_slip_is_told(folder, capsys):
    key = load_pem_private_key((folder / "vouchers-key.pem").read_bytes(), None)
    old = sign(Slip("1-1", kes(500_00), datetime(2020, 1, 1, tzinfo=UTC)), code="0" * 20, key=key)
    asked = ["check", old, "--key", str(folder / "vouchers-public.pem")]
    assert vouchers.main(asked) == vouchers.REFUSED
    assert "It expired: 01/01/20 03:00." in capsys.readouterr().err

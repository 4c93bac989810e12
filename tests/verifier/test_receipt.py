"""A receipt, from the SMS to the proof: checked with nothing but the public key."""

from __future__ import annotations

import ast
import base64
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VERIFIERS = [ROOT / "verifier" / name for name in ("audit.py", "receipt.py")]


@pytest.fixture
def seal(house, wanjiru, otieno) -> str:
    """The seal on the sender's SMS."""
    wanjiru.phone.dial().types("1", "0733000002", "500", "4071")
    [sms] = [each["message"] for each in house.messages(wanjiru.phone.msisdn)]
    return re.search(r"Seal ([0-9A-Z]{16})$", sms)[1]


@pytest.fixture
def proof(house, seal, tmp_path) -> Path:
    while house.sealer.once():
        pass
    path = tmp_path / "receipt.tlog-proof"
    path.write_bytes(house.client.get(f"/log/proof/{seal}").data)
    return path


def verify(*arguments) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", ROOT / "verifier/receipt.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={"PATH": ""},
    )


@pytest.mark.parametrize("path", VERIFIERS, ids=lambda path: path.name)
class TestEveryVerifier:
    def test_is_one_file_that_imports_nothing_of_ours(self, path):
        imported = {
            (each.module if isinstance(each, ast.ImportFrom) else name.name).partition(".")[0]
            for each in ast.walk(ast.parse(path.read_text()))
            if isinstance(each, ast.Import | ast.ImportFrom)
            for name in each.names
        }
        assert "cryptography" in imported
        assert imported - {"cryptography"} <= sys.stdlib_module_names

    def test_is_read_in_one_sitting(self, path):
        assert len(path.read_text().splitlines()) < 200


def test_what_the_sms_says_is_proven_with_the_key_alone(house, seal, proof):
    reference = house.bank.one("SELECT reference FROM orders")
    key = house.client.get("/log/key").data.decode()
    for given in (key, house.outside / "key"):
        ran = verify(proof, "--key", given, "--seal", f"{seal[:8].lower()} {seal[8:]}")
        assert (ran.returncode, ran.stderr) == (0, "")
    for words in (
        f"Reference {reference}.",
        "account 2: -505.00 KES",
        "+500.00 KES",
        "Posted 21/11/2026 06:30:00 UTC.",
        "Position 1 of 2 in the log kabambe.test.",
        f"Seal {seal}",
    ):
        assert words in ran.stdout
    assert "745" not in ran.stdout + proof.read_text(), "a receipt shows nobody's balance"


def test_both_sides_have_the_same_seal(house, seal, otieno):
    [sms] = [each["message"] for each in house.messages(otieno.phone.msisdn)]
    assert sms.endswith(f" Seal {seal}")


def test_the_seal_stays_when_the_journal_is_sealed_later(house, seal):
    assert house.bank.one("SELECT count(*) FROM positions") == 0
    leaf = house.bank.one("SELECT hash FROM leaves")
    while house.sealer.once():
        pass
    kept = {bytes(each) for (each,) in house.bank.rows("SELECT hash FROM leaves")}
    assert bytes(leaf) in kept


def changed(proof: str, line: int, to: str) -> str:
    lines = proof.split("\n")
    lines[line] = to
    return "\n".join(lines)


def turned(encoded: str) -> str:
    raw = base64.b64decode(encoded)
    return base64.b64encode(raw[:-1] + bytes([raw[-1] ^ 1])).decode()


def forgeries(proof: str) -> dict[str, str]:
    """Everything in a proof changed in turn, and what is said of it."""
    lines = proof.split("\n")
    leaf = base64.b64decode(lines[1].removeprefix("extra "))
    richer = base64.b64encode(leaf.replace(b"50000", b"90000")).decode()
    return {
        changed(proof, 1, f"extra {richer}"): "NOT in the log",
        changed(proof, 2, "index 0"): "NOT in the log",
        changed(proof, 2, "index 9"): "NOT in the log",
        changed(proof, 3, turned(lines[3])): "NOT in the log",
        changed(proof, 3, f"{lines[3]}\n{lines[3]}"): "NOT in the log",
        changed(proof, 5, "kabambe.other"): "is of the log kabambe.other",
        changed(proof, 6, "3"): "signature does NOT hold",
        changed(proof, 7, turned(lines[7])): "signature does NOT hold",
        changed(proof, 8, "signed 1"): "signature does NOT hold",
        changed(
            proof, 10, f"{lines[10].rsplit(' ', 1)[0]} {turned(lines[10].rsplit(' ', 1)[1])}"
        ): ("signature does NOT hold"),
        proof[: len(proof) // 2]: "not all of it",
        "": "not all of it",
        "TQ7X2M4KWZ Sent KES 500.00": "not all of it",
    }


def test_every_forgery_is_told(house, proof):
    honest = proof.read_text()
    for forged, why in forgeries(honest).items():
        proof.write_text(forged)
        ran = verify(proof, "--key", house.outside / "key")
        assert ran.returncode == 1, forged
        assert ran.stderr.startswith("Not proven.")
        assert why in ran.stderr, (forged, ran.stderr)
        assert ran.stdout == ""


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("nonsense", "The key is not one"),
        ("kabambe.test+00000000+AAAA", "The key is not one"),
        ("", "The key is not one"),
    ],
)
def test_a_bad_key_is_told(proof, key, why):
    ran = verify(proof, "--key", key)
    assert ran.returncode == 1
    assert why in ran.stderr


def test_another_logs_key_proves_nothing(house, proof):
    from core.seal_notes import Signer  # noqa: PLC0415

    other = Signer("kabambe.test", base64.b64encode(bytes(32)).decode()).verifier
    ran = verify(proof, "--key", other)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "signature does NOT hold" in ran.stderr


def test_another_seal_is_told(house, proof):
    ran = verify(proof, "--key", house.outside / "key", "--seal", "0" * 16)
    assert ran.returncode == 1
    assert "another journal's" in ran.stderr


def test_a_receipt_that_is_not_there_is_told():
    ran = verify("/nowhere/receipt", "--key", "x")
    assert ran.returncode == 1
    assert "cannot be read" in ran.stderr

"""
Safaricom's key and certificate: made once, kept for us alone, and expired as the real ones are.
"""

from __future__ import annotations

import base64
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding
from house import free_port

from core.settings import Mpesa
from sandbox import product
from sandbox.country import from_environment
from sandbox.daraja import certificate

REPOSITORY = Path(__file__).resolve().parents[2]


def sealed(pem: bytes, words: str) -> str:
    key = x509.load_pem_x509_certificate(pem).public_key()
    return base64.b64encode(key.encrypt(words.encode(), padding.PKCS1v15())).decode()


def test_is_made_once_and_read_by_its_owner_alone(tmp_path):
    home = tmp_path / "home"
    first, again = certificate.kept(home), certificate.kept(home)

    pem = (home / certificate.FILE).read_bytes()
    assert first.certificate == again.certificate == pem
    assert again.opened(sealed(pem, "Safaricom999!*!")) == "Safaricom999!*!"
    assert {each.stat().st_mode & 0o777 for each in home.iterdir()} == {0o600}
    assert sorted(each.name for each in home.iterdir()) == ["daraja.key", "daraja.pem"]


def test_is_made_by_the_command_that_the_launcher_calls(tmp_path):
    make = [sys.executable, "-m", "sandbox.daraja.certificate", str(tmp_path)]
    subprocess.run(make, cwd=REPOSITORY, check=True, timeout=30)

    assert (tmp_path / certificate.FILE).read_bytes() == certificate.kept(tmp_path).certificate


def test_has_expired_as_the_published_ones_have():
    pem = certificate.of_this_process().certificate

    assert x509.load_pem_x509_certificate(pem).not_valid_after_utc < datetime.now(UTC)


def test_opens_nothing_that_was_not_sealed_with_it(tmp_path):
    other = certificate.kept(tmp_path)
    ours = certificate.of_this_process()

    for credential in ("", "no base64", "bm90aGluZw==", sealed(other.certificate, "x")):
        assert ours.opened(credential) != "x"


def test_the_country_takes_the_contract_that_the_product_is_told_of(tmp_path, monkeypatch):
    monkeypatch.setenv("KABAMBE_HOME", str(tmp_path))
    ports = product.Ports(free_port(), free_port())
    told = product.environment(ports, "postgresql:///x", "redis:///0")
    for name, word in told.items():
        if name.startswith("KABAMBE_MPESA__"):
            monkeypatch.setenv(name, word)
    monkeypatch.setenv("KABAMBE_MPESA__CONSUMER_KEY", "another")
    monkeypatch.setenv("KABAMBE_HOME", str(tmp_path / "elsewhere"))

    app = from_environment()
    safaricom = app.extensions["safaricom"]

    pem = Path(told["KABAMBE_MPESA__CERTIFICATE"]).read_bytes()
    assert pem == safaricom.key.certificate
    assert safaricom.contract.key == "another"
    assert safaricom.contract.payer == told["KABAMBE_MPESA__PAYOUT_SHORTCODE"]
    assert told["KABAMBE_MPESA__URL"] == f"{ports.sandbox_url}/daraja"
    read = Mpesa.model_validate(
        {
            name.removeprefix("KABAMBE_MPESA__").lower(): word
            for name, word in told.items()
            if name.startswith("KABAMBE_MPESA__")
        }
    )
    assert read.certificate.exists()
    assert set(told) & {f"KABAMBE_MPESA__{name.upper()}" for name in Mpesa.model_fields} == {
        name for name in told if name.startswith("KABAMBE_MPESA__")
    }

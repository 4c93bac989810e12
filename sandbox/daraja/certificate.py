"""
Safaricom's key, and the certificate by which an initiator's password is encrypted to it.

The certificate has expired, as the published ones have: it carries a key and promises nothing.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import functools
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

FILE = "daraja.pem"
"""Where the certificate is in the folder that holds all state."""

_KEY_BITS = 2048
_KEY_FILE = "daraja.key"


class Key:
    """A key pair and its certificate."""

    def __init__(self, key: rsa.RSAPrivateKey, certificate: bytes) -> None:
        self._key = key
        self.certificate = certificate

    def opened(self, credential: str) -> str | None:
        """The password inside a SecurityCredential; None when there is none for this key."""
        try:
            sealed = base64.b64decode(credential, validate=True)
            return self._key.decrypt(sealed, padding.PKCS1v15()).decode()
        except (binascii.Error, ValueError):
            return None


@functools.cache
def of_this_process() -> Key:
    """A key that dies with the process, made once as it takes a while."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=_KEY_BITS)
    return Key(key, _certificate(key))


def kept(folder: Path) -> Key:
    """The key that lives in a folder beside its certificate, made when first asked for."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, secret = folder / FILE, folder / _KEY_FILE
    if not secret.exists():
        _write_once(secret, _pem(rsa.generate_private_key(65_537, _KEY_BITS)))
    key = serialization.load_pem_private_key(secret.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(f"{secret} holds no RSA key: remove it and {path}")
    if not path.exists():
        _write_once(path, _certificate(key))
    return Key(key, path.read_bytes())


def _certificate(key: rsa.RSAPrivateKey) -> bytes:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "KE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "The sandbox's Safaricom"),
            x509.NameAttribute(NameOID.COMMON_NAME, "apicrypt.daraja.sandbox"),
        ]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2014, 8, 11, tzinfo=UTC))
        .not_valid_after(datetime(2016, 8, 10, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def _pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _write_once(path: Path, words: bytes) -> None:
    """Write a file that only we read; when another was quicker, theirs stays."""
    new = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(words)
    with contextlib.suppress(FileExistsError):
        os.link(new, path)
    new.unlink()


if __name__ == "__main__":
    kept(Path(sys.argv[1]))

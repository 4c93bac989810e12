"""
The initiator's password as Safaricom wants it: under their public key, RSA PKCS#1 v1.5.
"""

from __future__ import annotations

import base64
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa


class BadCertificate(Exception):
    """The file is no certificate that a password can be enciphered for; the words say why."""


def seal(certificate: Path, password: str) -> str:
    """
    Encipher the password, once per process: what comes out is good until the password changes.

    The certificate only carries the key: those that Safaricom publishes ended years ago.

    Raises:
        BadCertificate: It cannot be read, or holds no RSA key.
    """
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except OSError as error:
        raise BadCertificate(f"{certificate}: {error.strerror}") from None
    except ValueError:
        raise BadCertificate(f"{certificate} is no X.509 certificate in PEM") from None
    key = found.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise BadCertificate(f"{certificate} holds no RSA key")
    # Not OAEP: Safaricom's documentation and its servers want this padding.
    return base64.b64encode(key.encrypt(password.encode(), padding.PKCS1v15())).decode()

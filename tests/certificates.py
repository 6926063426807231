# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates made by openssl(1), for tests of TLS."""

import subprocess
from pathlib import Path


def openssl(*words: str | Path, content: bytes = b"") -> bytes:
    """Run openssl and return what it printed."""
    return subprocess.run(["openssl", *words], input=content, capture_output=True, check=True).stdout


def self_signed(directory: Path, name: str, *options: str) -> Path:
    """Return a file with a key and a certificate for a host name, `NAME.crt` beside it with the certificate alone."""
    path = directory / f"{name}.pem"
    words = (
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=mail",
        "-addext",
        f"subjectAltName=DNS:{name}",
    )
    openssl(*words, *options, "-keyout", path, "-out", path.with_suffix(".crt"))
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


def expired(directory: Path, name: str) -> Path:
    """Return what `self_signed` does, with a certificate that has ended."""
    path = self_signed(directory, name)
    again = openssl("x509", "-in", path, "-signkey", path, "-days", "-1")
    path.with_suffix(".crt").write_bytes(again)
    path.write_bytes(openssl("pkey", "-in", path) + again)
    return path

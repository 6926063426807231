# SPDX-License-Identifier: GPL-2.0-or-later
"""TLSA records: whether a certificate is one of those that they allow, as openssl digests it."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxbackup.lookup.tlsa import Association, Associations, public_key
from tests.certificates import openssl, self_signed


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    directory = tmp_path_factory.mktemp("certificates")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
    return [
        self_signed(directory, "mail.dupontnet.com").with_suffix(".crt"),
        self_signed(directory, "mail.durantcom.net", *curve).with_suffix(".crt"),
    ]


def der(certificate: Path) -> bytes:
    return openssl("x509", "-in", certificate, "-outform", "DER")


def key(certificate: Path) -> bytes:
    return openssl(
        "pkey", "-pubin", "-outform", "DER", content=openssl("x509", "-in", certificate, "-noout", "-pubkey")
    )


def digest(kind: str, content: bytes) -> bytes:
    return openssl("dgst", f"-{kind}", "-binary", content=content)


def test_the_public_key_is_that_of_openssl(certificates: list[Path]) -> None:
    assert [public_key(der(one)) for one in certificates] == [key(one) for one in certificates]


def test_what_a_record_allows(certificates: list[Path]) -> None:
    own, other = map(der, certificates)
    rows = [
        ((3, 0, 0, own), True),
        ((3, 0, 1, digest("sha256", own)), True),
        ((3, 1, 1, digest("sha256", key(certificates[0]))), True),
        ((3, 1, 2, digest("sha512", key(certificates[0]))), True),
        ((3, 1, 1, digest("sha256", key(certificates[1]))), False),
        ((2, 0, 1, digest("sha256", other)), True),
        ((3, 0, 1, digest("sha256", other)), False),
        ((1, 0, 1, digest("sha256", own)), False),
        ((3, 2, 1, digest("sha256", own)), False),
        ((3, 0, 3, own), False),
    ]
    fit = [Associations((Association(*record),)).fit((own, other)) for record, _ in rows]
    assert fit == [expected for _, expected in rows]
    assert Associations(tuple(Association(*record) for record, _ in rows)).fit((own,))
    assert not Associations((Association(3, 1, 1, b""),)).fit(())


@given(st.binary(max_size=300))
def test_any_bytes_are_a_certificate_or_none(content: bytes) -> None:
    with suppress(ValueError):
        assert public_key(content) in content
    Associations((Association(3, 1, 1, b""), Association(2, 0, 2, b""))).fit((content,))


@given(data=st.data())
def test_a_damaged_certificate_is_no_fault(certificates: list[Path], data: st.DataObject) -> None:
    content = bytearray(der(certificates[0]))
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ValueError):
        assert public_key(bytes(content)) in content

"""The HMAC of a callback."""

import hashlib
import hmac
from pathlib import Path

import pytest

from spayon_flask import InvalidSignatureError
from spayon_flask.domain.signing import sign, verify

BODY = b'{"sessionId": "S1"}'


def test_a_signature_is_lower_case_hex_hmac_sha256_of_the_raw_bytes() -> None:
    assert sign(BODY, "key") == hmac.new(b"key", BODY, hashlib.sha256).hexdigest()


def test_the_right_signature_verifies_and_tells_which_secret_made_it() -> None:
    assert verify(BODY, sign(BODY, "new"), ["old", "new"]) == 1


def test_of_two_secrets_that_are_the_same_the_first_is_named() -> None:
    assert verify(BODY, sign(BODY, "key"), ["key", "key"]) == 0
    assert verify(BODY, sign(BODY, "key"), ["old", "key", "key"]) == 1


@pytest.mark.parametrize(
    "signature",
    ["", "0" * 64, "x", "Ё" * 64, "\udcff", sign(BODY, "key").upper(), sign(BODY, "no")],
)
def test_any_other_signature_is_refused(signature: str) -> None:
    with pytest.raises(InvalidSignatureError, match=r"^X-Signature does not match the body$"):
        verify(BODY, signature, ["key"])


@pytest.mark.parametrize("position", [0, len(BODY) // 2, len(BODY) - 1])
def test_one_changed_byte_is_noticed(position: int) -> None:
    changed = bytearray(BODY)
    changed[position] ^= 1

    with pytest.raises(InvalidSignatureError):
        verify(bytes(changed), sign(BODY, "key"), ["key"])


def examples() -> list[Path]:
    return sorted((Path(__file__).parent / "examples").glob("callback-*.json"))


def test_there_are_documented_examples() -> None:
    assert len(examples()) == 2


@pytest.mark.parametrize("path", examples(), ids=lambda path: path.stem)
def test_the_documented_bodies_verify_byte_for_byte(path: Path) -> None:
    body = path.read_bytes()

    assert verify(body, sign(body, "key"), ["key"]) == 0

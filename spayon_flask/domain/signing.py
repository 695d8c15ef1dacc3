"""The HMAC of a callback."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from ..errors import InvalidSignatureError

#: The `WWW-Authenticate` of our 401, which HTTP wants there (RFC 9110, 15.5.2). Also what tells our
#: refusal from that of a login in front of the shop.
CHALLENGE = "X-Signature"

#: The header by which `doctor` shows that a callback without a report is its own: the HMAC of
#: `DOCTOR_WORD`. Such a callback is refused like all others, and not logged.
DOCTOR_HEADER = "X-Spayon-Doctor"

DOCTOR_WORD = b"a callback of the doctor"


def sign(body: bytes, callback_secret: str) -> str:
    """Return the `X-Signature` of *body*: lower-case hex HMAC-SHA256 of the exact raw bytes.

    The algorithm is Spayon's (documentation, callbacks).
    """
    # Relies on: signature-form
    return hmac.digest(callback_secret.encode(), body, "sha256").hex()


def verify(body: bytes, signature: str, callback_secrets: Iterable[str]) -> int:
    """Return which of *callback_secrets* made *signature* for *body*, counted from 0.

    Raises `InvalidSignatureError` if none did. Takes the same time for each wrong signature.
    """
    given = signature.encode("utf-8", "surrogateescape")
    found = -1

    for position, secret in enumerate(callback_secrets):
        # As bytes: comparing text that is not ASCII raises TypeError, and that is a 500.
        if hmac.compare_digest(sign(body, secret).encode(), given) and found < 0:
            found = position

    if found < 0:
        raise InvalidSignatureError("X-Signature does not match the body")

    return found

"""The signature of a callback, computed here and shared with nothing else.

Spayon's documentation: `X-Signature` is the lower-case hex HMAC-SHA256 of the exact raw body,
keyed with the callback secret. A shop's side with code in common could err in the same way,
and nobody would notice.
"""

import hmac


PRICE = b'"price":"'


def sign(body: bytes, secret: str) -> str:
    """Return the lower-case hex HMAC-SHA256 of *body* keyed with *secret*."""
    return hmac.digest(secret.encode(), body, "sha256").hex()


def damage(body: bytes) -> bytes:
    """Return *body* with one byte changed: what a signature is there to notice.

    It is the first digit of the price, as a thief would have it, or else the last byte but one.
    """
    found = body.find(PRICE)
    place = found + len(PRICE) if found >= 0 else max(len(body) - 2, 0)
    changed = b"2" if body[place : place + 1] == b"1" else b"1"
    return body[:place] + changed + body[place + 1 :]

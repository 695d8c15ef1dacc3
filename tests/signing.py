"""A signature as Spayon makes it, by code of the tests alone."""

import hashlib
import hmac


def signed(body: bytes, secret: str) -> str:
    """Return the lower-case hex HMAC-SHA256 of *body*."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()

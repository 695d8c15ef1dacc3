"""Bearer tokens that expire."""

import base64
import json
import random
import secrets
import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from hashlib import sha256

#: More tokens than this are never remembered; the oldest is forgotten first.
KEPT = 10_000


class Tokens:
    """Issue tokens and know which of them are good; a *seed* makes them repeatable."""

    def __init__(self, *, seed: int | None = None) -> None:
        self._seed = seed
        self._random = self._seeded()
        self._expiry: OrderedDict[str, datetime] = OrderedDict()
        self._lock = threading.Lock()
        #: Another number after anything has changed here.
        self.changes = 0

    def __len__(self) -> int:
        return len(self._expiry)

    def issue(
        self,
        client_id: str,
        now: datetime,
        *,
        lives: float,
        alone: bool = False,
        says: float | None = None,
    ) -> str:
        """Return a new token for *client_id* that is good for *lives* seconds from *now* on.

        A token that is *alone* makes every earlier one unknown. The token *says* how many seconds
        it lives, the same number by default.
        """
        expiry = now + timedelta(seconds=lives)
        with self._lock:
            if alone:
                self._expiry.clear()

            said = now + timedelta(seconds=lives if says is None else says)
            token = _jwt(client_id, now, said, self._random.getrandbits(64))
            self._expiry[token] = expiry
            self.changes += 1
            if len(self._expiry) > KEPT:
                self._expiry.popitem(last=False)

        return token

    def refusal(self, authorization: str, now: datetime) -> str | None:
        """Return why the header *authorization* opens nothing, None if it does open."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            return "an Authorization header with a Bearer token is needed"

        with self._lock:
            expiry = self._expiry.get(token.strip())

        if expiry is None:
            return "the token is unknown"

        return "the token has expired" if expiry <= now else None

    def revoke_all(self) -> None:
        """Make every token unknown from now on."""
        with self._lock:
            self._expiry.clear()
            self.changes += 1

    def reset(self) -> None:
        """Make every token unknown, and begin anew with the seed."""
        self.revoke_all()
        self._random = self._seeded()

    def _seeded(self) -> random.Random:
        return secrets.SystemRandom() if self._seed is None else random.Random(self._seed)  # noqa: S311  repeatable if a test wants it

    def dump(self) -> dict[str, str]:
        """Return what `load` takes back."""
        with self._lock:
            return {token: expiry.isoformat() for token, expiry in self._expiry.items()}

    def load(self, dumped: dict[str, str]) -> None:
        """Take back what `dump` returned."""
        with self._lock:
            for token, expiry in dumped.items():
                self._expiry[token] = datetime.fromisoformat(expiry)


def _jwt(client_id: str, now: datetime, expiry: datetime, nonce: int) -> str:
    # In the shape of a JWT, because that is what Spayon hands out; nothing verifies the last part.
    claims = {"sub": client_id, "iat": int(now.timestamp())}
    claims |= {"exp": int(expiry.timestamp()), "jti": f"{nonce:016x}"}
    parts = [_part(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    signed = ".".join(parts)
    return f"{signed}.{_part(sha256(signed.encode()).digest())}"


def _part(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

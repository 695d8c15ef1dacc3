"""Paging: where the next page of a list begins, as a word in a URL."""

from __future__ import annotations

import re
from datetime import datetime
from datetime import timedelta
from datetime import timezone

from ..storage import Key


_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def write_key(key: Key) -> str:
    """Write *key* as microseconds and id."""
    return f"{(key.moment - _EPOCH) // timedelta(microseconds=1)}.{key.id}"


def read_key(text: str) -> Key | None:
    """Return the key that *text* stands for, or None."""
    found = re.fullmatch(r"(\d{1,16})\.(\d{1,18})", text, re.ASCII)
    return found and Key(_EPOCH + timedelta(microseconds=int(found[1])), int(found[2]))

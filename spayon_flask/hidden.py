"""Hidden: text and mappings that show in no repr, for what must not reach an error report.

Tools such as Sentry send the local variables of each frame that an error passes, by their repr.
Sentry looks into mappings and tuples, unless they have a `__sentry_repr__`.
"""

from __future__ import annotations

from typing import Any


class Hidden(str):
    """A secret, a token, an address or a name: the same text to all but `repr`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<hidden>"

    __sentry_repr__ = __repr__


class HiddenDict(dict[str, Any]):
    """Texts by their names, such as what a payer typed: the same dict to all but `repr`."""

    def __repr__(self) -> str:
        return "<hidden>"

    __sentry_repr__ = __repr__

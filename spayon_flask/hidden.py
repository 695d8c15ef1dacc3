"""Hidden: text that shows in no repr, for what must not reach an error report.

Tools such as Sentry send the local variables of each frame that an error passes, by their repr.
"""

from __future__ import annotations


class Hidden(str):
    """A secret, a token, an address or a name: the same text to all but `repr`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<hidden>"

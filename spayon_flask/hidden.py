"""Hidden: text and mappings that show in no repr, for what must not reach an error report.

Tools such as Sentry send the local variables of each frame that an error passes, by their repr.
"""

from __future__ import annotations

from typing import Any


class Hidden(str):
    """A secret, a token, an address or a name: the same text to all but `repr`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<hidden>"


class HiddenDict(dict[str, Any]):
    """Texts by their names, such as what a payer typed: the same dict to all but `repr`."""

    def __repr__(self) -> str:
        return "<hidden>"

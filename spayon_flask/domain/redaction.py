"""Hidden: text and mappings that show in no repr, for what must not reach an error report.

Tools such as Sentry send the local variables of each frame that an error passes, by their repr.
Sentry looks into mappings and tuples, unless they have a `__sentry_repr__`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")


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


def hides_its_fields(refused: type[Exception]) -> Callable[[type[T]], type[T]]:
    """Return a decorator for a dataclass whose checks raise *refused*: its fields stay hidden then.

    The `__init__` of a dataclass has each field as a local variable, and the checks have some:
    Sentry would send them.
    """

    def decorate(cls: type[T]) -> type[T]:
        build: Callable[..., None] = cls.__init__

        @wraps(build)
        def init(self: T, **fields: Any) -> None:
            fields = HiddenDict(fields)

            try:
                build(self, **fields)

            except refused as error:
                # Without the frames of the checks: the message names the field.
                raise error.with_traceback(None) from None

        type.__setattr__(cls, "__init__", init)
        return cls

    return decorate

"""Door: who of the shop's people may come in, and who may write."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress

from flask import abort
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from ..domain.handlers import check_function
from ..domain.orders import MAX_TEXT_LENGTH, has_control_characters
from ..errors import RegistrationError
from ..urls import vendor_in_address

logger = logging.getLogger(__name__)

#: True lets the present person in. A response, such as a redirect to the login, is sent instead of
#: our page; all else is refused. The function may also `abort`. With many vendors it takes the one
#: whose payments are asked for.
Allowed = Callable[..., object]

#: Returns the name of the present person.
Who = Callable[[], str]


class Door:
    """Ask the shop's functions on every request; in doubt the door stays shut.

    With *vendors* the two that let somebody in are given the vendor in the address.
    """

    def __init__(
        self, allowed: Allowed, may_settle: Allowed | None, who: Who | None, *, vendors: bool
    ) -> None:
        if may_settle is not None and who is None:
            raise RegistrationError(
                "staff: give who= beside may_settle=, a function that returns the name of the "
                "present person: it is kept with each decision"
            )

        for name, function in {"allowed": allowed, "may_settle": may_settle, "who": who}.items():
            if function is None and name != "allowed":
                continue

            if not callable(function):
                raise RegistrationError(f"staff: {name}= takes a function, not {function!r}")

            number = 1 if vendors and name != "who" else 0
            check_function(f"staff({name}=)", function, arguments=number)

        self._allowed = allowed
        self._may_settle = may_settle
        self._who = who
        self._vendors = vendors

    def check(self) -> AnyResponse | None:
        """Return None for who may come in, or the shop's own answer; anybody else gets a 404."""
        answer = self._answer("allowed", self._allowed, vendor_in_address())

        if answer is False:
            abort(404)

        return None if answer is True else answer

    def check_write(self) -> AnyResponse | bool:
        """Return True for who may write, or the shop's own answer, or False."""
        may_settle = self._may_settle
        return may_settle is not None and self._answer(
            "may_settle", may_settle, vendor_in_address()
        )

    def lets_in(self, vendor: str) -> bool:
        """Return True if the present person may see the payments of *vendor*."""
        with suppress(HTTPException):  # the shop's function aborts
            return self._answer("allowed", self._allowed, vendor) is True

        return False

    def may_write(self) -> bool:
        """Return True if the present person may write, for pages that offer that or do not."""
        with suppress(HTTPException):  # the shop's function aborts
            return self.check_write() is True

        return False

    def name(self) -> str:
        """Return the name of the present person, or "" if the shop does not tell it."""
        name = self._who() if self._who is not None else None

        if not isinstance(name, str) or has_control_characters(name):
            return ""

        return name.strip()[:MAX_TEXT_LENGTH]

    def _answer(self, name: str, function: Allowed, vendor: str | None) -> AnyResponse | bool:
        answer = function(vendor) if self._vendors else function()

        if answer is True or isinstance(answer, AnyResponse):
            return answer

        # An object that is merely true may be a mistake, such as a pair of text and status.
        if answer:
            logger.error(
                "staff: %s returned %s, which lets nobody in: return True or False",
                name,
                type(answer).__name__,
            )

        return False

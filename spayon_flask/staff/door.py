"""Door: who may come in, who may write, and under which name."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flask import abort
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from ..errors import RegistrationError
from ..handlers import check_handler
from ..orders import MAX_TEXT_LENGTH
from ..orders import has_control_characters


logger = logging.getLogger(__name__)

#: True lets the present person in. A response, such as a redirect to the login, is sent instead of
#: our page; all else is refused. The function may also `abort`.
Allowed = Callable[[], object]

#: Returns the name of the present person.
Who = Callable[[], str]


class Door:
    """Ask the shop's functions on every request; in doubt the door stays shut."""

    def __init__(self, allowed: Allowed, may_settle: Allowed | None, who: Who | None) -> None:
        if may_settle is not None and who is None:
            raise RegistrationError(
                "staff: give who= beside may_settle=, a function that returns the name of the "
                "present person: it is kept with each decision"
            )

        named = {"allowed": allowed, "may_settle": may_settle, "who": who}

        for name, function in named.items():
            if function is None and name != "allowed":
                continue

            if not callable(function):
                raise RegistrationError(
                    f"staff: {name}= takes a function without arguments, not {function!r}"
                )

            check_handler(f"staff({name}=)", function, arguments=0)

        self._allowed = allowed
        self._may_settle = may_settle
        self._who = who

    def check(self) -> AnyResponse | None:
        """Return None for who may come in, or the shop's own answer; anybody else gets a 404."""
        answer = self._answer("allowed", self._allowed)

        if answer is False:
            abort(404)

        return None if answer is True else answer

    def check_write(self) -> AnyResponse | bool:
        """Return True for who may write, or the shop's own answer, or False."""
        return self._may_settle is not None and self._answer("may_settle", self._may_settle)

    def may_write(self) -> bool:
        """Return True if the present person may write, for pages that offer that or do not."""
        try:
            return self.check_write() is True

        except HTTPException:  # the shop's function aborts
            return False

    def _answer(self, name: str, function: Allowed) -> AnyResponse | bool:
        answer = function()

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

    def name(self) -> str | None:
        """Return the name of the present person, or None if the shop does not tell it."""
        name = self._who() if self._who is not None else None

        if not isinstance(name, str) or has_control_characters(name):
            return None

        return name.strip()[:MAX_TEXT_LENGTH] or None

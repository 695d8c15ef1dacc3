"""Actions: what a person may do about a payment or a report in Flask-Admin, as at the desk."""

from __future__ import annotations

from abc import ABC
from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from typing import NamedTuple

from ..declines import translatable
from ..errors import SpayonError
from ..languages import Language
from ..state import AppState
from ..storage.outbox import CHANGING
from ..transitions import UNKNOWN


NOTHING = translatable("Nothing was changed: it was done already, or it is not possible.")


class Action(NamedTuple):
    """Something that a person may do: its *label*; *reason* asks why, if that is needed."""

    name: str
    label: str
    reason: str = ""


class Outcome(NamedTuple):
    """A sentence about what came of an action. *is_done* is False if nothing was changed."""

    sentence: str
    is_done: bool = True


class _Signed(NamedTuple):
    """Who acts, why and when."""

    by: str
    because: str
    now: datetime


class Actions(ABC):
    """Offer actions on the rows of one table of the app with *state*, and do them."""

    def __init__(self, state: AppState, language: Language) -> None:
        self._state = state
        self._storage = state.storage
        self._language = language

    @abstractmethod
    def offered(self, row: Any) -> Sequence[Action]:
        """Return what can be done about *row*."""

    def do(self, row_id: int, what: str, *, by: str, because: str) -> Outcome:
        """Do the action named *what*, and return what came of it."""
        # What Flask-Admin has read is no change, and must not be mixed with what we do.
        self._storage.queries.look_again()
        return self._do(row_id, what, _Signed(by, because, self._state.clock()))

    @abstractmethod
    def _do(self, row_id: int, what: str, signed: _Signed) -> Outcome: ...

    def _noted(self, noted: bool, sentence: str) -> Outcome:
        return Outcome(sentence) if noted else Outcome(self._language.gettext(NOTHING), False)


class PaymentActions(Actions):
    """What can be done about a payment."""

    def offered(self, row: Any) -> Sequence[Action]:
        """Return what can be done about the payment *row*."""
        _ = self._language.gettext
        why = _("Why? It is kept with the payment, and your name.")
        review, paid = row.status == "review", row.status == "paid" and row.refunded_at is None
        return [
            *([Action("accept", _("Accept the payment"), why)] if review else []),
            *([Action("refuse", _("Refuse the payment"), why)] if review else []),
            *([Action("refund", _("Note the refund"), why)] if paid else []),
            *([Action("ask", _("Ask Spayon now"))] if row.session_id else []),
        ]

    def _do(self, row_id: int, what: str, signed: _Signed) -> Outcome:
        _ = self._language.gettext

        try:
            if what == "refund":
                noted = self._storage.notes.refunded(row_id, **signed._asdict())
                return self._noted(noted, _("The refund is noted."))

            if what == "ask":
                answer = self._state.reconciler.ask_now(row_id)
                return Outcome(
                    _("Spayon was asked and says: %(status)s.", status=answer.status or "?")
                )

            self._storage.reviews.settle(row_id, accept=what == "accept", **signed._asdict())

        except SpayonError as error:
            return Outcome(_("That is not possible: %(reason)s", reason=str(error)), False)

        if what == "accept":
            return Outcome(
                _("The payment is accepted, and the shop’s program has recorded the order as paid.")
            )

        return Outcome(
            _(
                "The payment is refused. The money is not given back by that: do it in Spayon’s "
                "panel."
            )
        )


class ReportActions(Actions):
    """What can be done about a report."""

    def offered(self, row: Any) -> Sequence[Action]:
        """Return what can be done about the callback *row*."""
        _ = self._language.gettext
        unseen = row.verdict == UNKNOWN and row.seen_at is None
        why = _("What came of it? It is kept with the report, and your name.")
        again = row.verdict in CHANGING and self._state.handlers.dispatcher is not None
        return [
            *([Action("seen", _("This was checked"), why)] if unseen else []),
            *([Action("hand_over", _("Hand over to the queue again"))] if again else []),
        ]

    def _do(self, row_id: int, what: str, signed: _Signed) -> Outcome:
        _ = self._language.gettext

        if what == "seen":
            noted = self._storage.notes.seen(row_id, **signed._asdict())
            return self._noted(noted, _("It is noted that this was checked."))

        taken = self._storage.outbox.hand_over_again(row_id, now=signed.now)
        return self._noted(taken, _("The report was handed over to the shop’s queue again."))

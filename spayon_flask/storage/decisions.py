"""Decisions: what people decide about payments, and what they note beside payments and reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select, update

from ..domain.exports import amount_of
from ..domain.money import plain
from ..domain.transitions import APPLIED, BARRING, REVIEW, Transition
from ..errors import NeedsReview, ReviewError
from .models import PaymentMixin
from .outbox import Leased, Outbox
from .queries import Queries, is_unknown
from .status import NEEDED, StatusWriter
from .transactions import Part, Source, transaction

#: What a note is about.
REFUND, TAKEN_BACK, HANDED_OVER = "refund", "taken_back", "handed_over"

#: A payment has room for so many notes of refunds, and for the newest hand-overs.
_MOST, _HAND_OVERS = 10, 10

#: One payment is handed over again once in this time at most.
BETWEEN = timedelta(minutes=1)


class Decisions(Part):
    """Move payments out of review; keep what people did, each with a name. No note moves money."""

    def __init__(
        self, source: Source, status: StatusWriter, outbox: Outbox, queries: Queries
    ) -> None:
        super().__init__(source)
        self._status = status
        self._outbox = outbox
        self._queries = queries

    def settle(
        self, payment_id: int, *, accept: bool, by: str, because: str, now: datetime
    ) -> PaymentMixin:
        """Make a payment under review `paid` or else `failed`, and return it.

        The handlers of the new status run once. Who decided, and why, is kept. Then the dispatcher
        is given the callback rows again that the money guard held back. Raises `ReviewError` if the
        payment is not under review, cannot become `paid`, or needs another review; and
        `HandlerError`.
        """
        try:
            again = self._settle(payment_id, accept, by, because, now)

        except NeedsReview as doubt:
            raise ReviewError(f"the payment stays under review: {doubt.reason}") from None

        for leased in again:
            self._outbox.hand_over_or_log(leased)

        self._outbox.tell_status("paid" if accept else "failed", payment_id)
        return self._queries.get(payment_id)

    @transaction
    def _settle(
        self,
        connection: Connection,
        payment_id: int,
        accept: bool,
        by: str,
        because: str,
        now: datetime,
    ) -> Sequence[Leased]:
        p = self.payment.c
        columns = [p[name] for name in (*NEEDED, "reviewed_by", "reviewed_at")]
        query = select(*columns).where(p.id == payment_id, p.account == self.account)
        found = connection.execute(query).first()

        if found is None or found.status != "review":
            raise ReviewError(f"this payment is not under review, it is {_standing(found)}")

        if accept:
            self._check_order(connection, found)

        self.see_present(connection)

        # First the callback rows, then the payment: the order in which a report locks them.
        again = self._lease_again(connection, found.session_id, now)
        person = {"reviewed_by": by, "reviewed_because": because, "reviewed_at": now}
        connection.execute(update(self.payment).where(p.id == payment_id).values(person))
        transition = Transition(APPLIED, "paid" if accept else "failed", found.review)
        self._status.write(connection, found, transition, now=now)
        return again

    def _check_order(self, connection: Connection, found: Any) -> None:
        holder = self._status.holder(connection, found.order_id)

        if holder is None or holder.id == found.id or holder.status not in BARRING:
            return

        if holder.status == "paid":
            raise ReviewError(
                f"order {found.order_id} is paid already, by payment session "
                f"{holder.session_id}: refund this one in Spayon's admin panel, then refuse it"
            )

        raise ReviewError(
            f"another payment of order {found.order_id} is under review too, and holds the "
            f"order: settle payment session {holder.session_id} first"
        )

    def _lease_again(
        self, connection: Connection, session_id: str | None, now: datetime
    ) -> Sequence[Leased]:
        until = self._outbox.dispatch_at(now)

        if until is None:
            return []

        c = self.callback.c
        held_back = (c.account == self.account, c.session_id == session_id, c.verdict == REVIEW)
        rows = connection.execute(select(c.id, c.dispatch_at).where(*held_back)).all()

        # A hand-over that ends late knows its lease by this moment, so it must be another one.
        while any(row.dispatch_at == until for row in rows):
            until += timedelta(milliseconds=1)

        connection.execute(update(self.callback).where(*held_back).values(dispatch_at=until))
        return [Leased(row.id, until) for row in rows]

    @transaction
    def refund(
        self,
        connection: Connection,
        payment_id: int,
        *,
        amount: Decimal | None = None,
        seen: Decimal | None = None,
        by: str,
        because: str,
        now: datetime,
    ) -> None:
        """Note that *amount* of a payment was given back in Spayon's panel; None: all of it.

        *seen* is what the person has seen as given back before; None if that does not matter.
        Raises `ReviewError` if the payment is not paid, if so much is not left, or if somebody else
        has noted a refund meanwhile.
        """
        payment = self._lock(connection, payment_id)
        left = left_of(payment)
        before = payment.refunded_price or Decimal(0)

        if not may_be_refunded(payment):
            raise ReviewError(f"this payment is {payment.status}: nothing of it can be given back")

        if seen is not None and seen != before:
            raise ReviewError("somebody else has noted a refund of this payment meanwhile")

        if payment.refunded_at is not None and not left:
            raise ReviewError("all of this payment is noted as given back already")

        if amount is not None and left is None:
            raise ReviewError("the amount of this payment cannot be read: note it without one")

        if amount is not None and left is not None and not 0 < amount <= left:
            raise ReviewError(f"{plain(amount)} cannot be given back: {plain(left)} is left")

        note = _note(REFUND, by, now, because, left if amount is None else amount)
        self._write(connection, payment, [*(payment.notes or ()), note])

    @transaction
    def take_back_refund(
        self, connection: Connection, payment_id: int, *, by: str, now: datetime
    ) -> bool:
        """Take back the last note of a refund, which was a mistake. Returns False if none stands.

        The note stays in the story of the payment, and so does who has taken it back.
        """
        payment = self._lock(connection, payment_id)

        if payment.refunded_at is None:
            return False

        self._write(connection, payment, [*(payment.notes or ()), _note(TAKEN_BACK, by, now)])
        return True

    @transaction
    def hand_over(self, connection: Connection, payment_id: int, *, by: str, now: datetime) -> bool:
        """Note that a report of a payment is about to be handed over to the dispatcher again.

        Returns False if that was done less than a minute ago.
        """
        payment = self._lock(connection, payment_id)
        notes = list(payment.notes or ())
        earlier = [each for each in notes if each["what"] == HANDED_OVER]

        if earlier and now - moment_of(earlier[-1]) < BETWEEN:
            return False

        for each in earlier[: len(earlier) - _HAND_OVERS + 1]:
            notes.remove(each)

        self._write(connection, payment, [*notes, _note(HANDED_OVER, by, now)])
        return True

    @transaction
    def seen(
        self, connection: Connection, callback_id: int, *, by: str, because: str, now: datetime
    ) -> bool:
        """Note that a person has looked at an unknown report, so that nobody is warned of it again.

        Returns False if the row is no unknown report any more, or somebody was faster.
        """
        c = self.callback.c
        statement = update(self.callback).where(
            c.id == callback_id, *is_unknown(self), c.seen_at.is_(None)
        )
        values = {"seen_by": by, "seen_because": because, "seen_at": now}
        return bool(connection.execute(statement.values(values)).rowcount == 1)

    def _lock(self, connection: Connection, payment_id: int) -> Any:
        self.take_lock(connection)
        p = self.payment.c
        query = select(self.payment).where(p.id == payment_id, p.account == self.account)
        payment = connection.execute(query.with_for_update()).first()

        if payment is None:
            raise ReviewError("there is no such payment")

        return payment

    def _write(self, connection: Connection, payment: Any, notes: list[dict[str, str]]) -> None:
        if sum(each["what"] != HANDED_OVER for each in notes) > _MOST:
            raise ReviewError(f"a payment has room for {_MOST} notes of refunds, and no more")

        standing = standing_refunds(notes)
        amounts = [Decimal(each["amount"]) for each in standing if "amount" in each]
        last = standing[-1] if standing else {}
        values = {
            "notes": notes,
            "refunded_price": sum(amounts) if amounts else None,
            "refunded_at": moment_of(last) if last else None,
            "refunded_by": last.get("by"),
            "refunded_because": last.get("because"),
        }
        statement = update(self.payment).where(self.payment.c.id == payment.id)
        connection.execute(statement.values(values))


def may_be_refunded(payment: Any) -> bool:
    """Return True if Spayon took money for *payment*, and nobody has yet to decide about it."""
    return payment.paid_at is not None and payment.status in ("paid", "failed")


def left_of(payment: Any) -> Decimal | None:
    """Return how much of *payment* was not given back, or None if its amount cannot be read."""
    whole = amount_of(payment)[0]
    return None if whole is None else whole - (payment.refunded_price or 0)


def standing_refunds(notes: Iterable[dict[str, str]]) -> Sequence[dict[str, str]]:
    """Return the notes of refunds that nobody has taken back."""
    standing: list[dict[str, str]] = []

    for each in notes:
        if each["what"] == REFUND:
            standing.append(each)

        elif each["what"] == TAKEN_BACK and standing:
            standing.pop()

    return standing


def moment_of(note: dict[str, str]) -> datetime:
    """Return when *note* was written."""
    return datetime.fromisoformat(note["at"])


def _note(
    what: str, by: str, now: datetime, because: str = "", amount: Decimal | None = None
) -> dict[str, str]:
    note = {"what": what, "by": by, "at": now.isoformat()}
    note |= {"because": because} if because else {}
    return note if amount is None else note | {"amount": plain(amount)}


def _standing(found: Any) -> str:
    """Return how a payment stands that is not under review, and who has decided about it."""
    if found is None:
        return "gone"

    if found.reviewed_at is None:
        return str(found.status)

    return f"{found.status}: {found.reviewed_by} decided on {found.reviewed_at:%Y-%m-%d %H:%M} UTC"

"""Payments: the list, and one with all that happened to it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from ..domain.declines import decline_text
from ..domain.exports import STATUS_WORDS, Total, amount_of, grand_totals
from ..domain.handlers import load_order
from ..domain.orders import MAX_ID_LENGTH, has_control_characters, names_order
from ..domain.reports import read_stored
from ..errors import GatewayError, SpayonError
from ..storage.decisions import left_of, may_be_refunded, moment_of
from ..storage.ledger import Filter, Key, Page
from ..storage.outbox import CHANGING
from .books import Period, read_day
from .desk import Desk, SorryError

logger = logging.getLogger(__name__)

#: Payments on one page.
SHOWN = 50

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

#: With these reasons for a review it is the buyer, as a rule, who gets the money back.
_RATHER_REFUSED = ("superseded", "order_differs", "price_differs", "currency_differs")


def write_key(key: Key) -> str:
    """Write *key* as microseconds and id."""
    return f"{(key.moment - _EPOCH) // timedelta(microseconds=1)}.{key.id}"


def read_key(text: str) -> Key | None:
    """Return the key that *text* stands for, or None."""
    found = re.fullmatch(r"(\d{1,16})\.(\d{1,18})", text, re.ASCII)
    return found and Key(_EPOCH + timedelta(microseconds=int(found[1])), int(found[2]))


def find(desk: Desk) -> ResponseReturnValue:
    """List payments, newest first, by what the URL asks for."""
    args, storage = request.args, desk.state.storage
    typed = args.get("q", "").strip()
    text = _searched(typed)
    status, gateway = args.get("status"), args.get("gateway")
    period = Period(read_day("from"), read_day("to"), desk.zone)
    others = storage.queries.other_gateways()
    wanted = Filter(
        status=status if status in STATUS_WORDS else None,
        since=period.since,
        until=period.until,
        text=text or None,
        gateway=gateway if gateway in others else None,
    )
    after = read_key(args.get("after", ""))
    usable = len(text) <= MAX_ID_LENGTH and not has_control_characters(text)
    page = storage.ledger.page(wanted, limit=SHOWN, after=after) if usable else Page([])
    asked = {
        "q": typed,
        "status": wanted.status or "",
        "from": period.first or "",
        "to": period.last or "",
        "gateway": wanted.gateway or "",
    }
    kept: dict[str, Any] = {name: value for name, value in asked.items() if value}
    return desk.page(
        "payments.html",
        asked=asked,
        is_asked=bool(kept),
        is_reversed=period.is_reversed,
        statuses=STATUS_WORDS,
        gateways=others,
        payments=page.payments,
        totals=_totals(page.payments),
        newest_url=url_for(".payments", **kept) if after else None,
        next_url=page.after and url_for(".payments", **kept, after=write_key(page.after)),
        looked_back_to=page.looked_back_to,
        whole=page.whole,
    )


def _searched(typed: str) -> str:
    """Return what to look for; of a link that a customer has sent, the key or the session id."""
    if not typed.startswith(("https://", "http://")):
        return typed

    link = urlsplit(typed)
    named = parse_qs(link.query).get("session_id")
    return named[0] if named else unquote(link.path.rstrip("/").rpartition("/")[2])


def _totals(rows: Sequence[Any]) -> list[tuple[str, int, Decimal]]:
    """Add up those of *rows* that are paid: currency, how many, how much."""
    paid = [amount_of(row) for row in rows if row.status == "paid"]
    found = [Total("paid", currency, 1, amount) for amount, currency in paid if amount is not None]
    return [(each.currency, each.number, each.amount) for each in grand_totals(found)]


def show(desk: Desk, payment_id: int) -> ResponseReturnValue:
    """Show one payment."""
    return show_payment(desk, desk.payment(payment_id))


def show_payment(
    desk: Desk, payment: Any, status_code: int = 200, alert: str | None = None
) -> ResponseReturnValue:
    """Return the page of *payment*; *alert* says what went wrong."""
    queries = desk.state.storage.queries
    reports = queries.callbacks(payment.session_id) if payment.session_id else []
    others = desk.others(payment)
    reported_order = _reported_order(reports)
    price, currency = amount_of(payment)
    return desk.page(
        "payment.html",
        status_code,
        payment=payment,
        alert=alert,
        order_is_paid=is_paid(others),
        choices=choices(payment, others),
        story=_story(payment, reports),
        declines=_declines(desk, payment),
        reported_price=desk.money(price, currency),
        given_back=desk.money(payment.refunded_price, currency),
        left=desk.money(left_of(payment), currency),
        may_be_refunded=may_be_refunded(payment),
        reported_order=reported_order,
        price_differs=payment.product_id is None
        and payment.paid_at is not None
        and (price, currency) != (payment.price, payment.currency),
        order_differs=reported_order is not None
        and not names_order(reported_order, payment.order_id, payment.reference),
        attempts=others,
        is_elsewhere=payment.gateway != desk.state.settings.gateway,
        dispatches=desk.state.handlers.dispatcher is not None,
        # At last: the shop's function may do anything to the session.
        order_url=_order_url(desk, payment),
    )


def is_paid(others: Iterable[Any]) -> bool:
    """Return True if one of the *others* has paid the order of a payment."""
    return any(each.status == "paid" for each in others)


def choices(payment: Any, others: Iterable[Any]) -> Sequence[str]:
    """Return what may be decided about *payment*, which is under review; what fits best first."""
    # An order that another payment has paid cannot be paid by this one as well.
    if is_paid(others):
        return ("refuse",)

    return ("refuse", "accept") if payment.review in _RATHER_REFUSED else ("accept", "refuse")


class Event(NamedTuple):
    """What happened at *moment*: `begun`, `decided`, a *note*, or a report, the *n*th of all."""

    moment: datetime
    what: str
    note: dict[str, str] | None = None
    report: Any = None
    n: int = 0
    of: int = 0

    @property
    def body(self) -> str:
        """The text of the report, or "" if there is none, or it was removed."""
        return "" if self.report is None else bytes(self.report.body).decode(errors="replace")

    @property
    def again(self) -> bool:
        """Whether the report can be handed over again."""
        return self.report is not None and self.report.verdict in CHANGING

    @property
    def amount(self) -> Decimal | None:
        """What was given back, by the note."""
        return Decimal(self.note["amount"]) if self.note and "amount" in self.note else None


def _story(payment: Any, reports: Sequence[Any]) -> list[Event]:
    """Return what happened to *payment*, in the order in which it happened."""
    events = [Event(payment.created_at, "begun")]
    events += [
        Event(each.received_at, "report", None, each, n, len(reports))
        for n, each in enumerate(reports, 1)
    ]
    events += [Event(payment.reviewed_at, "decided")] if payment.reviewed_at else []
    events += [Event(moment_of(each), each["what"], each) for each in payment.notes or ()]

    # What happened at the same moment stays in its order.
    return sorted(events, key=lambda event: event.moment)


def _declines(desk: Desk, payment: Any) -> dict[str, str]:
    """Return what the buyer was told, with Spayon's own words if the buyer was told others."""
    told: dict[str, str] = {}

    for each in payment.decline_reasons or ():
        names = ("responseCode", "responseReasonEn")
        words = " ".join(str(each[name]) for name in names if each.get(name))
        told[desk.language.decline(each)] = "" if decline_text(each).reason else words

    return told


def _reported_order(reports: Sequence[Any]) -> str | None:
    """Return the order that the report of a payment names."""
    bodies = [each.body for each in reports if each.status == "paid" and each.body]
    told = read_stored(bodies[0]) if bodies else None
    return told and told.order_id


def _order_url(desk: Desk, payment: Any) -> str | None:
    """Return where the shop shows the order, if its loader tells the staff."""
    try:
        order = load_order(desk.state.handlers, payment.order_key or payment.order_id)

    except Exception:  # noqa: BLE001  `abort(403)` means "not yours", and the rest no link
        desk.state.storage.queries.look_again()
        return None

    url = order.url if order is not None else None
    is_link = url is not None and url.startswith(("https://", "http://", "/"))
    return url if is_link else None


def ask(desk: Desk, payment_id: int) -> ResponseReturnValue:
    """Ask Spayon about a payment, and record the answer (POST); a GET leads to the payment."""
    _ = desk.gettext
    payment = desk.payment(payment_id)

    if request.method != "POST" or payment.session_id is None:
        return redirect(url_for(".payment", payment_id=payment_id), 303)

    if payment.gateway != desk.state.settings.gateway:
        said = _("This payment was made with another gateway, so nobody was asked.")
        return desk.go("payment", said, payment_id=payment_id)

    ids = {"account": desk.state.name, "session_id": payment.session_id}

    try:
        answer = desk.state.reconciler.refresh(payment, settled=True)

    except GatewayError as error:
        logger.warning("no status for the desk: %s", error, extra=ids)
        alert = _("Spayon gives no usable answer just now. Try again in a minute.")
        return show_payment(desk, payment, 503, alert)

    except SpayonError:
        logger.exception("the status for the desk could not be recorded", extra=ids)
        alert = _("The shop’s program failed, so nothing was changed. Its log says why.")
        return show_payment(desk, payment, 500, alert)

    if not answer.asked:
        said = _("Somebody has asked Spayon just now. Wait some seconds.")

    elif answer.status in STATUS_WORDS:
        said = _("Spayon was asked and says: %(status)s.", status=desk.word(answer.status))

    else:
        said = _(
            "Spayon was asked. It does not know this payment, or answers with a status that we do "
            "not know."
        )

    return desk.go("payment", said, payment_id=payment_id)


def hand_over(desk: Desk, callback_id: int) -> ResponseReturnValue:
    """Give the dispatcher a callback row again (POST); a GET leads to its payment."""
    _ = desk.gettext
    storage = desk.state.storage
    payment_id = storage.queries.reported_payment(callback_id)

    if payment_id is None:
        raise SorryError(404, _("There is no such report."))

    if request.method != "POST":
        return redirect(url_for(".payment", payment_id=payment_id), 303)

    if not storage.decisions.hand_over(payment_id, by=desk.person, now=desk.now):
        said = _("A report of this payment was handed over a moment ago. Wait a minute.")

    elif storage.outbox.hand_over_again(callback_id, now=desk.now):
        said = _("The report was handed over to the shop’s queue again.")

    else:
        said = desk.nothing

    return desk.go("payment", said, payment_id=payment_id)

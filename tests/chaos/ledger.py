"""Ledger: what the gateway took, beside what the shop gave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text

from spayon_flask.simulator import Simulator
from tests.chaos.app import ARTICLES
from tests.shop import Shop


OK = 200


@dataclass(frozen=True)
class Ledger:
    """The comparison at the end of a run: only the last seven may be other than zero.

    *lost*: orders that were paid for and not given, and not under review either. *doubled*: given
    more than once. *invented*: given without a payment. *unaccounted*: payment sessions that were
    paid, and that no row of ours shows as paid or under review. *stuck*: payments still pending.
    *unqueued*: changes of status that the dispatcher was never given. *miscounted*: articles whose
    number sold is not that of the shipments.

    *untold*: payment sessions of which nobody could know. The gateway's answer that named them was
    lost, and so were all the callbacks that said `paid`. *told* is what came of each callback that
    said `paid`, for those that are unaccounted or untold.
    """

    lost: int
    doubled: int
    invented: int
    unaccounted: int
    stuck: int
    unqueued: int
    miscounted: int
    untold: int
    told: dict[str, list[int]]
    paid_sessions: int
    given: int
    under_review: int
    statuses: dict[str, int]
    verdicts: dict[str, int]

    @property
    def sound(self) -> bool:
        """Say whether nothing was lost, doubled or left behind."""
        return not (
            self.lost
            or self.doubled
            or self.invented
            or self.unaccounted
            or self.stuck
            or self.unqueued
            or self.miscounted
        )


def compare(gateway: Simulator, shop: Shop, told: Mapping[str, list[int]]) -> Ledger:
    """Compare the books of *gateway* with the database of *shop*.

    *told* are the status codes of the shop's answers to each callback that said `paid`.
    """
    paid = {
        session.id: session.order_id for session in gateway.sessions if session.status == "paid"
    }

    with shop.app.app_context():
        read = shop.db.session.execute
        rows = read(text("SELECT session_id, order_id, status FROM spayon_payment")).all()
        shipments = Counter(read(text("SELECT order_id FROM shipment")).scalars())
        times = {row.id: row.paid_times for row in read(text("SELECT * FROM shop_order"))}
        sold = {row.id: row.sold for row in read(text("SELECT * FROM article"))}
        jobs = set(read(text("SELECT job FROM queue")).scalars())
        callbacks = read(text("SELECT id, session_id, verdict FROM spayon_callback")).all()

    known = {row.session_id: row.status for row in rows}
    untold = {each for each in paid if each not in known and OK not in told.get(each, ())}
    unaccounted = {each for each in paid if known.get(each) not in {"paid", "review"}} - untold
    paid = {each: order_id for each, order_id in paid.items() if each not in untold}
    reviewed = {row.order_id for row in rows if row.status == "review"}
    orders = set(paid.values())
    by_article = Counter(int(order_id[1:]) % ARTICLES for order_id in shipments.elements())
    changed = {row.id for row in callbacks if row.verdict in {"applied", "review"}}
    return Ledger(
        lost=sum(not times[order_id] and order_id not in reviewed for order_id in orders),
        doubled=sum(max(count, shipments[each]) > 1 for each, count in times.items()),
        invented=sum(bool(count) and each not in orders for each, count in times.items()),
        unaccounted=len(unaccounted),
        stuck=sum(row.status == "pending" for row in rows),
        unqueued=len(changed - jobs),
        miscounted=sum(sold[each] != by_article[each] for each in sold),
        untold=len(untold),
        told={each: told.get(each, []) for each in untold | unaccounted},
        paid_sessions=len(paid) + len(untold),
        given=sum(times.values()),
        under_review=len([row for row in rows if row.status == "review"]),
        statuses=dict(Counter(row.status for row in rows)),
        verdicts=dict(Counter(row.verdict for row in callbacks)),
    )

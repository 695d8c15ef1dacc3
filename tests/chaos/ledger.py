"""Ledger: what the gateway took, beside what the shop gave."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import astuple, dataclass

from sqlalchemy import Engine, text

from spayon_flask.domain.orders import without_mark
from spayon_flask.simulator import Simulator
from tests.chaos.app import ARTICLES
from tests.chaos.payers import Payers
from tests.interleavings.promises import ALLOWED
from tests.shop import Shop

OK = 200


@dataclass(frozen=True)
class Ledger:
    """The comparison at the end of a run: the first twelve are zero.

    *lost*: orders that were paid for and not given, and not under review either. *doubled*: given
    more than once. *invented*: given without a payment. *unaccounted*: payment sessions that were
    paid, and that no row of ours shows as paid or under review. *stuck*: payments still pending.
    *unqueued*: changes of status that the dispatcher was never given. *miscounted*: articles whose
    number sold is not that of the shipments. *misdirected*: payment sessions that a payer was sent
    to, and whose URLs are a stranger's. *outdated*: payments of an old price that are paid although
    the order had a new one. *undecided*: statuses that the database's own log shows, and that no
    payment is given by a decision. *astray*: rows of a handler that wrote to a second database, and
    so had to fail. *reopened*: payment sessions of orders that were closed already.

    *untold*: payment sessions of which nobody could know. The gateway's answer that named them was
    lost, and so were all the callbacks that said `paid`. *unowned*: the same, but a callback came,
    and is kept as `unknown` for a person to see. That is so if a connection was cut after the
    gateway had made the payment session, and the question was repeated: one payment of ours, two
    payment sessions. *told* is what came of each callback that said `paid`, for those that are
    unaccounted, untold or unowned.
    """

    lost: int
    doubled: int
    invented: int
    unaccounted: int
    stuck: int
    unqueued: int
    miscounted: int
    misdirected: int
    outdated: int
    undecided: int
    astray: int
    reopened: int
    untold: int
    unowned: int
    told: dict[str, list[int]]
    paid_sessions: int
    given: int
    under_review: int
    statuses: dict[str, int]
    verdicts: dict[str, int]

    @property
    def sound(self) -> bool:
        """Return True if nothing was lost, doubled or left behind."""
        return not any(astuple(self)[:12])


def compare(
    gateway: Simulator,
    shop: Shop,
    told: Mapping[str, list[int]],
    payers: Payers,
    other: Engine,
) -> Ledger:
    """Compare the books of *gateway* and what *payers* saw with the database of *shop*.

    *other* is the second database, to which a handler wrote in vain. *told* are the status codes of
    the shop's answers to each callback that said `paid`.
    """
    # A second attempt to pay an order may have been sent with an id of its own.
    paid = {
        session.id: without_mark(session.order_id or "")
        for session in gateway.sessions
        if session.status == "paid"
    }

    with shop.app.app_context():
        read = shop.db.session.execute
        rows = read(text("SELECT session_id, order_id, status FROM spayon_payment")).all()
        shipments = Counter(read(text("SELECT order_id FROM shipment")).scalars())
        times = {row.id: row.paid_times for row in read(text("SELECT * FROM shop_order"))}
        sold = {row.id: row.sold for row in read(text("SELECT * FROM article"))}
        jobs = set(read(text("SELECT job FROM queue")).scalars())
        log = read(text("SELECT event, was, became FROM status_log")).all()
        callbacks = read(text("SELECT id, session_id, status, verdict FROM spayon_callback")).all()

    with other.connect() as connection:
        astray = connection.execute(text("SELECT COUNT(*) FROM shipped")).scalar_one()

    known = {row.session_id: row.status for row in rows}
    untold = {each for each in paid if each not in known and OK not in told.get(each, ())}
    kept = {
        row.session_id for row in callbacks if row.verdict == "unknown" and row.status == "paid"
    }
    unowned = {each for each in paid if each not in known and each in kept}
    nobodys = untold | unowned
    unaccounted = {each for each in paid if known.get(each) not in {"paid", "review"}} - nobodys
    paid = {each: order_id for each, order_id in paid.items() if each not in nobodys}
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
        misdirected=len(payers.misdirected),
        outdated=sum(known.get(each) == "paid" for each in payers.outdated),
        undecided=sum(
            (each.was, each.became)
            not in (ALLOWED if each.event == "status" else {(None, "pending")})
            for each in log
        ),
        astray=astray,
        reopened=sum(
            without_mark(session.order_id or "") in payers.closed for session in gateway.sessions
        ),
        untold=len(untold),
        told={each: told.get(each, []) for each in nobodys | unaccounted},
        paid_sessions=len(paid) + len(nobodys),
        unowned=len(unowned),
        given=sum(times.values()),
        under_review=len([row for row in rows if row.status == "review"]),
        statuses=dict(Counter(row.status for row in rows)),
        verdicts=dict(Counter(row.verdict for row in callbacks)),
    )

"""How an order may stand, and the sentence that each page says then: one table, over real HTTP.

A payer decides by these sentences whether to pay again. So none may be untrue: each page is held
against the ledger of the simulator, which knows what was really paid.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from spayon_flask import NeedsReview
from spayon_flask.simulator import Simulator
from spayon_flask.storage.ledger import Filter
from tests.pages.test_templates import CLAIMS, words_of
from tests.reports import report
from tests.shop import Shop

STATUS_CALL = "GET /api/product/session/{session_id}"


@dataclass
class Scene:
    """An order of *shop*, the payment sessions made for it, and what a test does to them."""

    shop: Shop
    sim: Simulator
    sessions: list[str] = field(default_factory=list)

    def begin(self) -> str:
        """Go from the checkout page to the hosted page, as the payer does."""
        answer = self.shop.app.test_client().post("/pay/checkout/A1")
        assert answer.status_code == 303, answer.status_code
        self.sessions.append(answer.location.rpartition("/")[2])

        return self.sessions[-1]

    def pass_time(self, seconds: int) -> None:
        """Let time pass, for the shop and for the gateway."""
        self.shop.clock.step(seconds)
        self.sim.clock.step(seconds)
        self.sim.settle()

    def reprice(self, price: str) -> None:
        """Change the order."""
        with self.shop.app.app_context():
            self.shop.db.session.get_one(self.shop.orders, "A1").price = price
            self.shop.db.session.commit()

    def settle(self, session_id: str, *, accept: bool) -> None:
        """Decide about a payment under review, as a person does."""
        with self.shop.app.app_context():
            state = self.shop.spayon.state
            payment = state.storage.queries.find(session_id=session_id)
            assert payment is not None
            state.storage.decisions.settle(
                payment.id, accept=accept, by="Ani", because="seen", now=self.shop.clock()
            )

    def doubtful(self, **fields: Any) -> str:
        """Have a payment reported as paid with *fields* that the money guard does not take."""
        session_id = self.begin()
        self.sim.fault("callback_lost", times=9)
        self.sim.pay(session_id)
        assert self.shop.deliver(report(session_id, **fields)) == 200

        return session_id

    @property
    def money(self) -> Decimal:
        """What the gateway holds for the order."""
        paid = [each for each in self.sim.sessions.of_order("A1") if each.status == "paid"]
        return sum((each.creation.price for each in paid), Decimal(0))

    @property
    def has_just_failed(self) -> bool:
        """Whether Spayon has said within the interval that a payment failed."""
        with self.shop.app.app_context():
            state = self.shop.spayon.state
            since = self.shop.clock() - state.settings.status_interval
            failed = list(state.storage.ledger.every(Filter("failed", "A1")))
            return any(each.updated_at > since for each in failed)

    def look(self, path: str) -> str:
        """Return what the page at *path* says, once it was held against the ledger."""
        before = self.sim.requests.count(STATUS_CALL)
        answer = self.shop.app.test_client().get(path)
        asked = self.sim.requests.count(STATUS_CALL) > before or self.has_just_failed
        assert answer.status_code == 200, answer.status_code
        words = words_of(answer.text)

        for claim in CLAIMS:
            if claim in words.lower():
                assert asked, f"nobody has asked, and {path} says: {words}"
                assert not self.money, f"{self.money} are paid, and {path} says: {words}"

        return words

    def pages(self) -> dict[str, list[str]]:
        """Return the paths of every page of the order: the newest payment first."""
        with self.shop.app.app_context():
            ledger = self.shop.spayon.state.storage.ledger
            payments = list(ledger.every(Filter(order_id="A1")))
            return {
                "checkout": ["/pay/checkout/A1"],
                "return": [f"/pay/return?session_id={p.session_id}" for p in payments],
                "cancel": [f"/pay/cancel/{p.reference}" for p in payments],
            }


@pytest.fixture
def scene(live_shop: Shop, sim: Simulator) -> Scene:
    live_shop.add_order()

    return Scene(live_shop, sim)


def nothing(_: Scene) -> None:
    """Nobody has begun to pay."""


def begun(scene: Scene) -> None:
    scene.begin()


def answer_lost(scene: Scene) -> None:
    scene.sim.fault("drop_after", on="sessions", times=None)
    scene.shop.app.test_client().post("/pay/checkout/A1")


def paid_with_answer_lost(scene: Scene) -> None:
    """Spayon has created the session and taken the money; its answer and its callbacks are lost."""
    answer_lost(scene)
    scene.sim.fault("callback_lost", times=9)
    scene.sim.pay(next(iter(scene.sim.sessions)).id)


def paid_with_answer_lost_long_ago(scene: Scene) -> None:
    """As above; then the order is changed and the payment session is over."""
    paid_with_answer_lost(scene)
    scene.reprice("5000")
    scene.pass_time(16 * 60)


def given_up_with_answer_lost(scene: Scene) -> None:
    """As above; then `reconcile` gives the payment up."""
    paid_with_answer_lost(scene)
    scene.pass_time(16 * 60)

    with scene.shop.app.app_context():
        scene.shop.spayon.reconcile(jobs=1)


def failed_beside_answer_lost(scene: Scene) -> None:
    """Of two attempts, that with the lost answer was paid; the payer knows of the other alone."""
    given_up_with_answer_lost(scene)
    scene.sim.faults.clear()
    failed(scene)


def failed(scene: Scene) -> None:
    scene.sim.decline(scene.begin(), "51")


def expired(scene: Scene) -> None:
    scene.begin()
    scene.pass_time(15 * 60)


def lapsed_unheard(scene: Scene) -> None:
    scene.sim.fault("callback_lost", times=9)
    scene.begin()
    scene.shop.clock.step(15 * 60)


def changed(scene: Scene) -> None:
    scene.begin()
    scene.reprice("5000")


def superseded(scene: Scene) -> None:
    changed(scene)
    scene.begin()


def paid(scene: Scene) -> None:
    scene.sim.pay(scene.begin())


def paid_unheard(scene: Scene) -> None:
    scene.sim.fault("callback_lost", times=9)
    scene.sim.pay(scene.begin())


def paid_late(scene: Scene) -> None:
    failed(scene)
    scene.sim.pay(scene.sessions[0], late=True)


def paid_late_unheard(scene: Scene) -> None:
    failed(scene)
    scene.sim.fault("callback_lost", times=9)
    scene.sim.pay(scene.sessions[0], late=True)


def paid_twice(scene: Scene) -> None:
    failed(scene)
    scene.sim.pay(scene.begin())
    scene.sim.pay(scene.sessions[0], late=True)


def other_paid(scene: Scene) -> None:
    failed(scene)
    scene.sim.pay(scene.begin())


def other_begun(scene: Scene) -> None:
    failed(scene)
    scene.begin()


def paid_for_superseded(scene: Scene) -> None:
    superseded(scene)
    scene.sim.pay(scene.sessions[0])


def accepted(scene: Scene) -> None:
    scene.settle(scene.doubtful(price="1"), accept=True)


def refused(scene: Scene) -> None:
    scene.settle(scene.doubtful(price="1"), accept=False)


def refused_and_begun(scene: Scene) -> None:
    refused(scene)
    scene.begin()


def refused_and_failed(scene: Scene) -> None:
    refused(scene)
    failed(scene)


def review(**fields: Any) -> Callable[[Scene], None]:
    """Make the state of a review for the reason that *fields* give."""

    def make(scene: Scene) -> None:
        scene.doubtful(**fields)

    return make


def undeliverable(scene: Scene) -> None:
    """The shop's handler asks for a person: there is no stock."""

    def refuse(status: str, _payment: Any) -> None:
        if status == "paid":
            raise NeedsReview("no stock")

    scene.shop.handle = refuse
    scene.sim.pay(scene.begin())


def handler_failed(scene: Scene) -> None:
    """The shop's handler has failed for days."""

    def fail(status: str, _payment: Any) -> None:
        if status == "paid":
            raise RuntimeError("a mistake")

    scene.shop.handle = fail
    session_id = scene.begin()
    scene.sim.pay(session_id)

    with scene.shop.app.app_context():
        for _ in range(12):
            scene.shop.clock.step(24 * 3600)
            scene.shop.spayon.reconcile(jobs=1)

    assert scene.shop.payment(session_id).review == "handler_failed"


def unreachable(make: Callable[[Scene], None]) -> Callable[[Scene], None]:
    """Make a state in which Spayon does not answer any more."""

    def then(scene: Scene) -> None:
        make(scene)
        scene.sim.fault("error", on="status", code=503, times=None)

    return then


def unrecorded(make: Callable[[Scene], None]) -> Callable[[Scene], None]:
    """Make a state in which Spayon says `paid`, and the shop's handler fails from now on."""

    def fail(status: str, _payment: Any) -> None:
        if status == "paid":
            raise RuntimeError("a mistake")

    def then(scene: Scene) -> None:
        make(scene)
        scene.shop.handle = fail

    return then


NOT_CHARGED = "Nothing was charged"
UNSURE = "If money was taken all the same, please do not pay again"
CONFIRM = "Confirming your payment"
WAITING = "We are waiting for the result"
NOT_AGAIN = "If you have paid, please do not pay again"
UNREACHED = "We cannot reach Spayon just now, so we do not know whether you have paid"
PAYABLE = "What happens next"
RESUME = "You have started to pay"
UNCONFIRMED = "Your payment is not confirmed yet"
REVIEW = "We are checking your payment"
RECEIVED = "Payment received"
FAILED = "The payment did not go through"
REPORTED = "Spayon reported that the payment failed"
ELSEWHERE = "It was paid by another payment. There is nothing left to pay"
CLOSED = "has closed this payment"
SECOND = "This order was paid by another payment already, so there is nothing left to pay"
OVER = "The time to pay has run out"

REASONS: list[tuple[str, dict[str, Any]]] = [
    ("order_missing", {"orderId": None}),
    ("order_differs", {"orderId": "A2"}),
    ("price_missing", {"price": None}),
    ("price_unreadable", {"price": "a lot"}),
    ("price_differs", {"price": "1"}),
    ("currency_missing", {"currency": None}),
    ("currency_unreadable", {"currency": "drams"}),
    ("currency_differs", {"currency": "USD"}),
]

Row = tuple[str, Callable[[Scene], None], str, list[str], list[str]]

#: The state, how it comes about, and what is said by the checkout page, by the return page of each
#: payment and by the cancel page of each, the newest first. An empty text: there is no such page.
TABLE: list[Row] = [
    ("none", nothing, PAYABLE, [], []),
    ("pending", begun, RESUME, [WAITING], ["You have not paid yet"]),
    ("pending, unreachable", unreachable(begun), RESUME, [UNREACHED], [UNREACHED]),
    ("answer lost", answer_lost, PAYABLE, [""], [WAITING]),
    ("paid, answer lost", paid_with_answer_lost, PAYABLE, [""], [WAITING]),
    (
        "paid, answer lost long ago, changed",
        paid_with_answer_lost_long_ago,
        *(PAYABLE, [""], [UNSURE]),
    ),
    ("paid, answer lost, given up", given_up_with_answer_lost, PAYABLE, [""], [UNSURE]),
    (
        "failed, other paid with answer lost",
        failed_beside_answer_lost,
        *(PAYABLE, [REPORTED, ""], [REPORTED, UNSURE]),
    ),
    ("failed", failed, PAYABLE, [FAILED], [FAILED]),
    ("failed, unreachable", unreachable(failed), PAYABLE, [REPORTED], [REPORTED]),
    ("expired", expired, PAYABLE, [NOT_CHARGED], [NOT_CHARGED]),
    ("expired, unreachable", unreachable(expired), PAYABLE, [OVER], [OVER]),
    ("lapsed, unheard", lapsed_unheard, PAYABLE, [CONFIRM], [OVER]),
    ("lapsed, unreachable", unreachable(lapsed_unheard), PAYABLE, [UNREACHED], [UNREACHED]),
    ("changed", changed, PAYABLE, [WAITING], ["Your order has changed"]),
    ("changed, unreachable", unreachable(changed), PAYABLE, [UNREACHED], ["has changed"]),
    ("superseded", superseded, RESUME, [WAITING] * 2, ["You have not paid", "has changed"]),
    ("paid", paid, "This order is paid", [RECEIVED], [RECEIVED]),
    ("paid, unheard", paid_unheard, RESUME, [RECEIVED], [RECEIVED]),
    ("paid, unreachable", unreachable(paid_unheard), RESUME, [UNREACHED], [UNREACHED]),
    ("paid, unrecorded", unrecorded(paid_unheard), RESUME, [NOT_AGAIN], [NOT_AGAIN]),
    ("paid late", paid_late, "This order is paid", [RECEIVED], [RECEIVED]),
    ("paid late, unheard", paid_late_unheard, PAYABLE, [RECEIVED], [RECEIVED]),
    (
        "paid late, unreachable",
        unreachable(paid_late_unheard),
        *(PAYABLE, [REPORTED], [REPORTED]),
    ),
    (
        "paid late, unrecorded",
        unrecorded(paid_late_unheard),
        *(PAYABLE, [NOT_AGAIN], [NOT_AGAIN]),
    ),
    ("paid twice", paid_twice, "This order is paid", [RECEIVED, SECOND], [RECEIVED, SECOND]),
    ("other paid", other_paid, "This order is paid", [RECEIVED, ELSEWHERE], [RECEIVED, ELSEWHERE]),
    (
        "other begun",
        other_begun,
        RESUME,
        [WAITING, "Another payment of this order is under way"],
        ["You have not paid yet", "Another payment of this order is under way"],
    ),
    ("review: superseded", paid_for_superseded, REVIEW, [REVIEW] * 2, [REVIEW] * 2),
    *(
        (f"review: {reason}", review(**fields), REVIEW, [REVIEW], [REVIEW])
        for reason, fields in REASONS
    ),
    ("review: no stock", undeliverable, REVIEW, [REVIEW], [REVIEW]),
    ("review: handler_failed", handler_failed, REVIEW, [REVIEW], [REVIEW]),
    ("accepted", accepted, "This order is paid", [RECEIVED], [RECEIVED]),
    ("refused", refused, "has closed an earlier payment", [CLOSED], [CLOSED]),
    (
        "refused, begun",
        refused_and_begun,
        RESUME,
        [WAITING, "Another payment of this order is under way"],
        [UNCONFIRMED, "Another payment of this order is under way"],
    ),
    (
        "refused, failed",
        refused_and_failed,
        # The callback is lost, and the checkout page asks nobody.
        RESUME,
        *([CLOSED] * 2, [CLOSED] * 2),
    ),
]


@pytest.mark.parametrize(
    ("make", "page", "sentences"),
    [
        pytest.param(make, page, sentences, id=f"{name}-{page}")
        for name, make, checkout, back, cancel in TABLE
        for page, sentences in (("checkout", [checkout]), ("return", back), ("cancel", cancel))
        if sentences
    ],
)
def test_a_page_says_how_the_order_stands_and_nothing_untrue(
    scene: Scene, make: Callable[[Scene], None], page: str, sentences: list[str]
) -> None:
    make(scene)
    paths = scene.pages()[page]
    assert len(paths) == len(sentences)

    # Twice: within the interval nobody may ask again, and what was known a moment ago may be over.
    for path, sentence in zip(paths, sentences, strict=True):
        if sentence:
            scene.pass_time(5)
            said = scene.look(path)
            assert sentence in said, said
            scene.look(path)


@pytest.mark.parametrize(("reason", "fields"), REASONS)
def test_the_reviews_of_the_table_have_the_reasons_that_they_are_called_by(
    scene: Scene, reason: str, fields: dict[str, Any]
) -> None:
    assert scene.shop.payment(scene.doubtful(**fields)).review == reason


@pytest.mark.parametrize("page", ["return", "cancel"])
def test_who_has_paid_after_all_is_not_led_to_pay_again_while_that_cannot_be_recorded(
    scene: Scene, page: str
) -> None:
    # At once: a payment that failed a moment ago counts as asked about.
    unrecorded(paid_late_unheard)(scene)

    said = scene.look(scene.pages()[page][0])

    assert NOT_AGAIN in said
    assert "Try again" not in said


def test_a_page_that_may_not_ask_again_takes_back_what_it_said(scene: Scene) -> None:
    scene.sim.fault("callback_lost", times=9)
    session_id = scene.begin()
    cancel = scene.pages()["cancel"][0]
    assert "You have not paid yet" in scene.look(cancel)

    scene.sim.pay(session_id)
    assert UNCONFIRMED in scene.look(cancel)

"""How an order may stand, and the sentence that each page says then: one table, over real HTTP.

A payer decides by these sentences whether to pay again. So none may be untrue: each page is held
against the ledger of the simulator, which knows what was really paid.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

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

    # What happens to the order, step by step.

    def reprice_it(self) -> None:
        self.reprice("5000")

    def fail(self) -> None:
        self.sim.decline(self.begin(), "51")

    def pay(self) -> None:
        self.sim.pay(self.begin())

    def pay_the_first(self) -> None:
        self.sim.pay(self.sessions[0], late=True)

    def doubt(self) -> None:
        """Have a payment reported as paid at a price that the money guard does not take."""
        self.lose_callbacks()
        self.pay()
        assert self.shop.deliver(report(self.sessions[-1], price="1")) == 200

    def accept(self) -> None:
        self.settle(self.sessions[-1], accept=True)

    def refuse(self) -> None:
        self.settle(self.sessions[-1], accept=False)

    def lose_callbacks(self) -> None:
        self.sim.fault("callback_lost", times=9)

    def lose_answer(self) -> None:
        self.sim.fault("drop_after", on="sessions", times=None)
        self.shop.app.test_client().post("/pay/checkout/A1")

    def pay_all_the_same(self) -> None:
        """Spayon takes the money in a payment session that the shop does not know."""
        self.lose_callbacks()
        self.sim.pay(next(iter(self.sim.sessions)).id)

    def mend(self) -> None:
        self.sim.faults.clear()

    def wait(self) -> None:
        self.pass_time(16 * 60)

    def run_ahead(self) -> None:
        """By the clock of the shop alone the time to pay is over."""
        self.shop.clock.step(15 * 60)

    def reconcile(self) -> None:
        with self.shop.app.app_context():
            self.shop.spayon.reconcile(jobs=1)

    def lose_spayon(self) -> None:
        self.sim.fault("error", on="status", code=503, times=None)

    def lose_handler(self) -> None:
        """From now on the shop's handler of what is paid fails."""

        def fail(status: str, _payment: Any) -> None:
            if status == "paid":
                raise RuntimeError("a mistake")

        self.shop.handle = fail

    # What the pages say of it.

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
CHANGED = "Your order has changed"
OVER = "The time to pay has run out"

Steps = Sequence[Callable[[Scene], object]]
Row = tuple[str, Steps, str, list[str], list[str]]

FAILED_AND_PAID_LATE: Steps = [Scene.fail, Scene.lose_callbacks, Scene.pay_the_first]
PAID_UNHEARD: Steps = [Scene.lose_callbacks, Scene.pay]
LAPSED: Steps = [Scene.lose_callbacks, Scene.begin, Scene.run_ahead]
LOST: Steps = [Scene.lose_answer, Scene.pay_all_the_same]
GIVEN_UP: Steps = [*LOST, Scene.wait, Scene.reconcile]
REFUSED: Steps = [Scene.doubt, Scene.refuse]

OTHER_BEGUN = "Another payment of this order is under way"
ALL_PAID = "This order is paid"

#: The state, how it comes about, and what is said by the checkout page, by the return page of each
#: payment and by the cancel page of each, the newest first. An empty text: there is no such page.
TABLE: list[Row] = [
    ("none", [], PAYABLE, [], []),
    ("pending", [Scene.begin], RESUME, [WAITING], ["You have not paid yet"]),
    ("pending, unreachable", [Scene.begin, Scene.lose_spayon], RESUME, [UNREACHED], [UNREACHED]),
    ("answer lost", [Scene.lose_answer], PAYABLE, [""], [WAITING]),
    ("paid, answer lost", LOST, PAYABLE, [""], [WAITING]),
    (
        "paid, answer lost long ago, changed",
        *([*LOST, Scene.reprice_it, Scene.wait], PAYABLE, [""], [UNSURE]),
    ),
    ("paid, answer lost, given up", GIVEN_UP, PAYABLE, [""], [UNSURE]),
    (
        # The payer knows of the one that failed alone.
        "failed, other paid with answer lost",
        [*GIVEN_UP, Scene.mend, Scene.fail],
        *(PAYABLE, [REPORTED, ""], [REPORTED, UNSURE]),
    ),
    ("failed", [Scene.fail], PAYABLE, [FAILED], [FAILED]),
    ("failed, unreachable", [Scene.fail, Scene.lose_spayon], PAYABLE, [REPORTED], [REPORTED]),
    ("expired", [Scene.begin, Scene.wait], PAYABLE, [NOT_CHARGED], [NOT_CHARGED]),
    (
        "expired, unreachable",
        *([Scene.begin, Scene.wait, Scene.lose_spayon], PAYABLE, [OVER], [OVER]),
    ),
    ("lapsed, unheard", LAPSED, PAYABLE, [CONFIRM], [OVER]),
    ("lapsed, unreachable", [*LAPSED, Scene.lose_spayon], PAYABLE, [UNREACHED], [UNREACHED]),
    ("changed", [Scene.begin, Scene.reprice_it], PAYABLE, [WAITING], [CHANGED]),
    (
        "changed, unreachable",
        *([Scene.begin, Scene.reprice_it, Scene.lose_spayon], PAYABLE, [UNREACHED], [CHANGED]),
    ),
    (
        "superseded",
        [Scene.begin, Scene.reprice_it, Scene.begin],
        *(RESUME, [WAITING] * 2, ["You have not paid", CHANGED]),
    ),
    ("paid", [Scene.pay], ALL_PAID, [RECEIVED], [RECEIVED]),
    ("paid, unheard", PAID_UNHEARD, RESUME, [RECEIVED], [RECEIVED]),
    ("paid, unreachable", [*PAID_UNHEARD, Scene.lose_spayon], RESUME, [UNREACHED], [UNREACHED]),
    ("paid, unrecorded", [*PAID_UNHEARD, Scene.lose_handler], RESUME, [NOT_AGAIN], [NOT_AGAIN]),
    ("paid late", [Scene.fail, Scene.pay_the_first], ALL_PAID, [RECEIVED], [RECEIVED]),
    ("paid late, unheard", FAILED_AND_PAID_LATE, PAYABLE, [RECEIVED], [RECEIVED]),
    (
        "paid late, unreachable",
        *([*FAILED_AND_PAID_LATE, Scene.lose_spayon], PAYABLE, [REPORTED], [REPORTED]),
    ),
    (
        "paid late, unrecorded",
        *([*FAILED_AND_PAID_LATE, Scene.lose_handler], PAYABLE, [NOT_AGAIN], [NOT_AGAIN]),
    ),
    (
        "paid twice",
        [Scene.fail, Scene.pay, Scene.pay_the_first],
        *(ALL_PAID, [RECEIVED, SECOND], [RECEIVED, SECOND]),
    ),
    (
        "other paid",
        *([Scene.fail, Scene.pay], ALL_PAID, [RECEIVED, ELSEWHERE], [RECEIVED, ELSEWHERE]),
    ),
    (
        "other begun",
        [Scene.fail, Scene.begin],
        *(RESUME, [WAITING, OTHER_BEGUN], ["You have not paid yet", OTHER_BEGUN]),
    ),
    (
        "review: superseded",
        [Scene.begin, Scene.reprice_it, Scene.begin, Scene.pay_the_first],
        *(REVIEW, [REVIEW] * 2, [REVIEW] * 2),
    ),
    ("review", [Scene.doubt], REVIEW, [REVIEW], [REVIEW]),
    ("accepted", [Scene.doubt, Scene.accept], ALL_PAID, [RECEIVED], [RECEIVED]),
    ("refused", REFUSED, "has closed an earlier payment", [CLOSED], [CLOSED]),
    (
        "refused, begun",
        [*REFUSED, Scene.begin],
        *(RESUME, [WAITING, OTHER_BEGUN], [UNCONFIRMED, OTHER_BEGUN]),
    ),
    # The callback is lost, and the checkout page asks nobody.
    ("refused, failed", [*REFUSED, Scene.fail], RESUME, [CLOSED] * 2, [CLOSED] * 2),
]


@pytest.mark.parametrize(
    ("steps", "page", "sentences"),
    [
        pytest.param(steps, page, sentences, id=f"{name}-{page}")
        for name, steps, checkout, back, cancel in TABLE
        for page, sentences in (("checkout", [checkout]), ("return", back), ("cancel", cancel))
        if sentences
    ],
)
def test_a_page_says_how_the_order_stands_and_nothing_untrue(
    scene: Scene, steps: Steps, page: str, sentences: list[str]
) -> None:
    for step in steps:
        step(scene)

    paths = scene.pages()[page]
    assert len(paths) == len(sentences)

    # Twice: within the interval nobody may ask again, and what was known a moment ago may be over.
    for path, sentence in zip(paths, sentences, strict=True):
        if sentence:
            scene.pass_time(5)
            said = scene.look(path)
            assert sentence in said, said
            scene.look(path)


@pytest.mark.parametrize("page", ["return", "cancel"])
def test_who_has_paid_after_all_is_not_led_to_pay_again_while_that_cannot_be_recorded(
    scene: Scene, page: str
) -> None:
    # At once: a payment that failed a moment ago counts as asked about.
    for step in (*FAILED_AND_PAID_LATE, Scene.lose_handler):
        step(scene)

    said = scene.look(scene.pages()[page][0])

    assert NOT_AGAIN in said
    assert "Try again" not in said


def test_a_page_that_may_not_ask_again_takes_back_what_it_said(scene: Scene) -> None:
    scene.lose_callbacks()
    session_id = scene.begin()
    cancel = scene.pages()["cancel"][0]
    assert "You have not paid yet" in scene.look(cancel)

    scene.sim.pay(session_id)
    assert UNCONFIRMED in scene.look(cancel)

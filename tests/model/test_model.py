"""A shop beside the model: payers, the gateway, the clock, an operator and faults in any order."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck
from hypothesis import Phase
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import initialize
from hypothesis.stateful import invariant
from hypothesis.stateful import precondition
from hypothesis.stateful import rule
from hypothesis.stateful import run_state_machine_as_test

from tests.interleavings.operations import command
from tests.interleavings.operations import post
from tests.interleavings.world import World
from tests.interleavings.world import world_on
from tests.model.model import HandlerFailedError
from tests.model.model import Model
from tests.model.model import Order
from tests.model.model import Payment
from tests.model.model import Said


#: Most happens to the first, so that much happens to one order.
ORDERS = ("A1", "A1", "A1", "A2")

#: Runs of the machine, each of at most 30 steps.
DEFAULT = 60
EXAMPLES = int(os.environ.get("SPAYON_TESTS_MODEL_EXAMPLES", DEFAULT))

#: Every longest pause of reconcile is over, and so is every lease.
LONG = timedelta(hours=7)


class Machine(RuleBasedStateMachine):
    """Do the same to the shop and to the model, and compare what payers and shop see."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        #: What the gateway has ever said by callback, to be delivered again at any time.
        self.sent: list[Said] = []
        self.handler_fails = False

    @initialize()
    def open_the_shop(self) -> None:
        """Two orders of 1000, which nobody has begun to pay."""
        world = self.world
        world.begin_anew()
        world.shop.add_order("A2", "1000")
        world.execute("INSERT INTO order_state VALUES ('A2', 'new')")
        world.handler_fails = lambda: self.handler_fails
        world.gateway.down = False
        self.model.orders = {order_id: Order(1000) for order_id in {*ORDERS}}

    @property
    def now(self) -> datetime:
        """The present."""
        return self.world.shop.clock()

    @rule(order_id=st.sampled_from(ORDERS), fault=st.sampled_from(["", "", "", "lost", "down"]))
    def check_out(self, order_id: str, fault: str) -> None:
        """A payer submits the checkout page."""
        model, gateway = self.model, self.world.gateway
        order = model.orders[order_id]

        # Of two lost answers of one order nobody can tell which is which.
        if fault == "lost" and any(each.session_id is None for each in order.payments):
            fault = ""

        standing = model.begin_checkout(order_id)
        gateway.down, gateway.loses_answers = fault == "down", fault == "lost"
        before = set(gateway.sessions)

        if standing is not None and standing.status == "pending" and self.lapsed(standing):
            self.ask(standing)
            standing.holds = standing.holds and standing.status != "pending"
            standing = model.begin_checkout(order_id)

        answer = self.world.shop.app.test_client().post(f"/pay/checkout/{order_id}")
        gateway.down = gateway.loses_answers = False
        location = answer.headers.get("Location", "")
        made = set(gateway.sessions) - before

        if standing is not None:
            assert answer.status_code == 303
            page = "/pay/" if standing.status == "pending" else "/pay/return?session_id="
            assert location.endswith(f"{page}{standing.session_id}")
            assert not made

        elif fault:
            assert answer.status_code in {502, 503}
            assert len(made) == (fault == "lost")
            model.make(order_id, None, self.now)

        else:
            assert answer.status_code == 303
            (session_id,) = made
            assert location.endswith(f"/pay/{session_id}")
            model.make(order_id, session_id, self.now)

    @rule(order_id=st.sampled_from(ORDERS), pay_again=st.booleans())
    def change_the_price(self, order_id: str, pay_again: bool) -> None:
        """The shop changes an order, to a price that it never had; a payer may come at once."""
        order = self.model.orders[order_id]
        order.price += 1000
        self.world.execute(
            "UPDATE shop_order SET price = :price WHERE id = :id",
            price=str(order.price),
            id=order_id,
        )

        if pay_again:
            self.check_out(order_id, "")

    @rule(order_id=st.sampled_from(ORDERS), status=st.sampled_from(["paid", "failed", "expired"]))
    def check_out_and_end(self, order_id: str, status: str) -> None:
        """A payer comes, and pays or does not; the callback arrives at once."""
        self.check_out(order_id, "")
        payment = self.model.holder(self.model.orders[order_id])

        if payment is not None and payment.status == "pending":
            self.end(str(payment.session_id), status, arrives=True)

    @precondition(lambda self: self.payable())
    @rule(data=st.data(), arrives=st.booleans())
    def pay_for_one_let_go(self, data: st.DataObject, arrives: bool) -> None:
        """A payer pays in an old tab, or a bank gives its word late."""
        held = {each.session_id for _, each in self.model.known() if each.holds}
        old = [each for each in self.payable() if each not in held]

        if old:
            self.end(data.draw(st.sampled_from(old)), "paid", arrives=arrives)

    @precondition(lambda self: self.payable())
    @rule(
        data=st.data(),
        status=st.sampled_from(["paid", "paid", "failed"]),
        arrives=st.sampled_from([True, True, False]),
    )
    def end_at_the_gateway(self, data: st.DataObject, status: str, arrives: bool) -> None:
        """A payer pays or is declined; the callback arrives, or is on its way from now on."""
        self.end(data.draw(st.sampled_from(self.payable())), status, arrives=arrives)

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), bare=st.booleans(), fails=st.sampled_from([False, False, True]))
    def deliver(self, data: st.DataObject, bare: bool, fails: bool) -> None:
        """A callback arrives: at last, once more, or out of order."""
        said = data.draw(st.sampled_from(self.sent))

        # Without an order nothing tells whose the answer was that is lost.
        order_id = None if bare else said.order_id
        self.post(Said(said.session_id, said.status, said.price, order_id), fails=fails)

    @precondition(lambda self: self.payable())
    @rule(data=st.data())
    def deliver_another_price(self, data: st.DataObject) -> None:
        """A signed callback names a price that nobody asked for."""
        session_id = data.draw(st.sampled_from(self.payable()))
        order_id = self.world.gateway.sessions[session_id]["order"]
        self.post(Said(session_id, "paid", 7, order_id), fails=False)

    @precondition(lambda self: self.model.known())
    @rule(data=st.data(), fails=st.sampled_from([False, False, True]), down=st.booleans())
    def come_back(self, data: st.DataObject, fails: bool, down: bool) -> None:
        """A payer is back on the return page, which asks the gateway."""
        _, payment = data.draw(st.sampled_from(self.model.known()))

        # One that has ended may have been paid after all.
        if payment.status in {"pending", "failed", "expired"}:
            self.handler_fails = fails
            self.world.gateway.down = down
            self.ask(payment)

        answer = self.world.shop.app.test_client().get(
            f"/pay/return?session_id={payment.session_id}"
        )
        self.handler_fails = self.world.gateway.down = False

        assert answer.status_code == 200

    @rule(minutes=st.sampled_from([1, 10, 16]), long=st.sampled_from([False, False, True]))
    def let_time_pass(self, minutes: int, long: bool) -> None:
        """Time passes, and at the gateway sessions expire; each has its callback."""
        self.world.shop.clock.step(minutes * 60)
        self.expire()

        if long:
            self.reconcile()

    def reconcile(self) -> None:
        """Long after, reconcile asks about what is open, and once more about what ended."""
        if self.changes_by_asking() is None:
            return

        self.world.shop.clock.step(LONG.total_seconds())
        self.expire()
        changes = self.changes_by_asking()

        if changes is None:
            return

        self.model.expire_unanswered(self.now)

        for _, payment in self.model.known():
            if self.is_due(payment):
                ended = payment.status != "pending"
                self.ask(payment)
                payment.last_look_at = None if ended else payment.last_look_at

        with self.world.shop.app.app_context():
            summary = self.world.shop.spayon.reconcile(jobs=1)

        assert summary.failed == summary.unanswered == 0

    @precondition(lambda self: self.under_review())
    @rule(data=st.data(), accept=st.booleans())
    def settle_a_review(self, data: st.DataObject, accept: bool) -> None:
        """An operator decides."""
        order_id, payment = data.draw(st.sampled_from(self.under_review()))
        order = self.model.orders[order_id]
        allowed = not accept or self.model.may_accept(order, payment)
        answer = command(
            self.world,
            *("review", str(payment.session_id), "--accept" if accept else "--refuse"),
            *("--because", "seen", "--by", "Ann"),
        )

        assert (answer == "done") == allowed

        if allowed:
            self.model.settle(order, payment, "paid" if accept else "failed")

    @invariant()
    def what_the_shop_sees_is_what_the_model_says(self) -> None:
        """The goods, the state of the order, and how each payment stands."""
        given = {row.order_id: row.number for row in self.world.execute(_GOODS)}
        states = {row.order_id: row.state for row in self.world.execute(_STATES)}
        stand = {row.session_id: row.status for row in self.world.execute(_STATUSES)}

        for order_id, order in self.model.orders.items():
            assert given.get(order_id, 0) == order.given <= 1
            assert states[order_id] == order.state

        assert stand == {each.session_id: each.status for _, each in self.model.known()}

    def end(self, session_id: str, status: str, *, arrives: bool) -> None:
        """End a payment session at the gateway; the callback arrives, or is on its way."""
        self.world.gateway.sessions[session_id]["status"] = status
        self.sent.append(self.said(session_id))

        if arrives:
            self.post(self.sent[-1], fails=False)

    def lapsed(self, payment: Payment) -> bool:
        """Return True if the time of the payment session is over."""
        return self.now >= payment.expires_at

    def ask(self, payment: Payment) -> None:
        """Apply to the model what a status check would bring."""
        gateway = self.world.gateway

        if not self.model.may_ask(payment, self.now) or gateway.down:
            return

        with suppress(HandlerFailedError):
            self.model.report(
                self.said(str(payment.session_id)), self.now, handler_fails=self.handler_fails
            )

    def said(self, session_id: str) -> Said:
        """Return what the gateway says of a payment session now."""
        session = self.world.gateway.sessions[session_id]
        return Said(session_id, session["status"], int(session["price"]), session["order"])

    def post(self, said: Said, *, fails: bool) -> None:
        """Deliver a callback to both, and compare the answer."""
        self.handler_fails = fails
        fields = {"status": said.status, "price": str(said.price), "orderId": said.order_id}
        answer = post(self.world, self.world.gateway.report(said.session_id, **fields)).answer

        try:
            self.model.report(said, self.now, handler_fails=fails)
            assert answer == 200

        except HandlerFailedError:
            assert answer == 500

        self.handler_fails = False

    def payable(self) -> list[str]:
        """Return the payment sessions that can still be paid; a bank may be late with its word."""
        return [
            each
            for each, session in self.world.gateway.sessions.items()
            if session["status"] != "paid"
        ]

    def expire(self) -> None:
        """End at the gateway what is older than 15 minutes."""
        for session_id, session in self.world.gateway.sessions.items():
            if session["status"] == "pending" and session["made_at"] + _LIFETIME <= self.now:
                session["status"] = "expired"
                self.sent.append(self.said(session_id))

    def is_due(self, payment: Payment) -> bool:
        """Return True if reconcile is going to ask about a payment."""
        if payment.status == "pending":
            return True

        return payment.last_look_at is not None and payment.last_look_at <= self.now

    def changes_by_asking(self) -> list[Payment] | None:
        """Return the payments of which the gateway has news; None if two are of one order.

        Which of the two comes first is nobody's promise.
        """
        changes: dict[str, Payment] = {}

        for order_id, payment in self.model.known():
            status = self.world.gateway.sessions[str(payment.session_id)]["status"]

            if status not in {"pending", payment.status} or payment.status == "pending":
                if order_id in changes:
                    return None

                changes[order_id] = payment

        return list(changes.values())

    def under_review(self) -> list[tuple[str, Payment]]:
        """Return the payments that an operator can settle."""
        return [each for each in self.model.known() if each[1].status == "review"]


_LIFETIME = timedelta(minutes=15)
_GOODS = "SELECT order_id, COUNT(*) AS number FROM goods GROUP BY order_id"
_STATES = "SELECT order_id, state FROM order_state"
_STATUSES = "SELECT session_id, status FROM spayon_payment WHERE session_id IS NOT NULL"


@pytest.fixture
def world() -> Iterator[World]:
    """A world on SQLite, in memory if there is such a folder; the failures in it are meant."""
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    logging.disable(logging.CRITICAL)

    with (
        TemporaryDirectory(dir=memory) as folder,
        world_on(f"sqlite:///{Path(folder) / 'model.db'}") as world,
    ):
        yield world

    logging.disable(logging.NOTSET)


def test_a_shop_does_what_the_model_says(world: World) -> None:
    class Here(Machine):
        pass

    Here.world = world

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            # To find a shorter way to a failure takes minutes; whoever asks for more runs does so.
            phases=[Phase.generate, *([Phase.shrink] if EXAMPLES > DEFAULT else [])],
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )

"""A shop beside the model: payers, the gateway, the clock, an operator and faults in any order."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from tests.interleavings import habits
from tests.interleavings.operations import command, post
from tests.interleavings.world import World, worlds
from tests.model.model import HandlerFailedError, Model, Order, Payment, Said

#: Most happens to the first, so that much happens to one order.
ORDERS = ("A1", "A1", "A1", "A2")

#: How a handler fails: it raises, or it keeps quiet about what cannot be kept.
FAILS = st.sampled_from(["", "", "", habits.HANDLER_RAISES, *habits.FATAL])

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

    @initialize()
    def open_the_shop(self) -> None:
        """Two orders of 1000, which nobody has begun to pay."""
        world = self.world
        world.begin_anew()
        world.shop.add_order("A2", "1000")
        world.execute("INSERT INTO order_state VALUES ('A2', 'new')")
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
        asked = None

        while (payment := model.to_ask(order, self.now)) is not None and payment is not asked:
            asked = payment
            self.ask(payment)
            payment.holds = payment.holds and payment.status != "pending"
            standing = model.begin_checkout(order_id)

        answer = self.world.shop.app.test_client().post(f"/pay/checkout/{order_id}")
        gateway.down = gateway.loses_answers = False
        location = answer.headers.get("Location", "")
        made = set(gateway.sessions) - before

        if standing is not None:
            assert answer.status_code == 303
            # Whoever knows the number of an order that is paid learns no session id.
            live = standing.status == "pending"
            page = f"/pay/{standing.session_id}" if live else f"/pay/checkout/{order_id}"
            assert location.endswith(page)
            assert not made

        elif order.closed:
            assert location == f"/pay/checkout/{order_id}"
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

    @rule(having=st.sets(st.sampled_from(habits.HABITS)))
    def change_the_shop(self, having: set[str]) -> None:
        """The shop's functions write and swallow from now on, or no longer."""
        self.world.habits = having

    @rule(order_id=st.sampled_from(["A2"]))
    def close_the_order(self, order_id: str) -> None:
        """The shop closes an order for good."""
        if not self.model.orders[order_id].closed:
            habits.close(self.world.shop, order_id)
            self.model.orders[order_id].closed = True

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
    @rule(data=st.data(), bare=st.booleans(), fails=FAILS)
    def deliver(self, data: st.DataObject, bare: bool, fails: str) -> None:
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
        order_id = self.world.gateway.sessions[session_id]["orderId"]
        self.post(Said(session_id, "paid", 7, order_id), fails="")

    @precondition(lambda self: self.model.known())
    @rule(data=st.data(), fails=FAILS, down=st.booleans())
    def come_back(self, data: st.DataObject, fails: str, down: bool) -> None:
        """A payer is back on the return page, which asks the gateway."""
        order_id, payment = data.draw(st.sampled_from(self.model.known()))
        self.world.gateway.down = down

        for each in self.model.worth_asking(self.model.orders[order_id], payment):
            # Whatever goes wrong, the page asks no further.
            if not self.ask(each, fails=fails):
                break

        with self.world.habit(fails):
            answer = self.world.shop.app.test_client().get(
                f"/pay/return?session_id={payment.session_id}"
            )

        self.world.gateway.down = False

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

        # Neither a receiver nor a handler that failed has left anything.
        assert {row.paid_times for row in self.world.execute(_TIMES)} <= {0, 1}

        with self.world.other.connect() as connection:
            assert not connection.execute(text("SELECT * FROM shipped")).all()

    def end(self, session_id: str, status: str, *, arrives: bool) -> None:
        """End a payment session at the gateway; the callback arrives, or is on its way."""
        self.world.gateway.sessions[session_id]["status"] = status
        self.sent.append(self.said(session_id))

        if arrives:
            self.post(self.sent[-1], fails="")

    def ask(self, payment: Payment, *, fails: str = "") -> bool:
        """Apply to the model what a status check would bring; return False if it goes wrong."""
        if payment.status in {"paid", "review"} or not self.model.may_ask(payment, self.now):
            return True

        if self.world.gateway.down:
            return False

        try:
            said = self.said(str(payment.session_id))
            self.model.report(said, self.now, handler_fails=bool(fails))

        except HandlerFailedError:
            return False

        return True

    def said(self, session_id: str) -> Said:
        """Return what the gateway says of a payment session now."""
        session = self.world.gateway.sessions[session_id]
        return Said(session_id, session["status"], int(session["price"]), session["orderId"])

    def post(self, said: Said, *, fails: str) -> None:
        """Deliver a callback to both, and compare the answer."""
        fields = {"status": said.status, "price": str(said.price), "orderId": said.order_id}

        with self.world.habit(fails):
            answer = post(self.world, self.world.gateway.report(said.session_id, **fields)).answer

        try:
            self.model.report(said, self.now, handler_fails=bool(fails))
            assert answer == 200

        except HandlerFailedError:
            assert answer == 500

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
_TIMES = "SELECT paid_times FROM shop_order"
_STATES = "SELECT order_id, state FROM order_state"
_STATUSES = "SELECT session_id, status FROM spayon_payment WHERE session_id IS NOT NULL"


@pytest.fixture
def world() -> Iterator[World]:
    """A world on SQLite; the failures in it are meant."""
    logging.disable(logging.CRITICAL)

    with worlds("spayon_model") as world_on:
        yield world_on("sqlite")

    logging.disable(logging.NOTSET)


def test_a_shop_does_what_the_model_says(world: World) -> None:
    class Here(Machine):
        pass

    Here.world = world

    run_state_machine_as_test(
        Here,
        settings=settings(max_examples=3 * settings().max_examples, stateful_step_count=30),
    )

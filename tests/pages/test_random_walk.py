"""A random walk through all that can happen to one order; after each step every page is read.

The payer, the gateway, the clock, faults on the way and a person at the shop take turns. The pages
are held against the ledger of the simulator, which knows what was really paid.
"""

from collections.abc import Callable
from contextlib import suppress

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

from spayon_flask.simulator.gateway import SessionOverError
from spayon_flask.storage.ledger import Filter
from tests.kept import KeptShops, KeptSimulator, in_process
from tests.pages.test_every_standing import Scene
from tests.reports import report

#: What a page says to a payer who should pay; none may, once the order is known to be paid.
OFFERS = ("Continue to payment", "Try again")

ANY = st.integers(min_value=0, max_value=9)


class OneOrder(RuleBasedStateMachine):
    """One order of one shop, which pays at one simulator."""

    make_scene: Callable[[], Scene]

    @initialize()
    def place(self) -> None:
        """The shop has an order."""
        self.scene = self.make_scene()

    def session(self, number: int) -> str:
        """Return one of the payment sessions that the payer was sent to."""
        return self.scene.sessions[number % len(self.scene.sessions)]

    def has_sessions(self) -> bool:
        """Return True once the payer was sent to the hosted page."""
        return bool(self.scene.sessions)

    # The payer.

    @rule()
    def press_the_button(self) -> None:
        """Go to the hosted page, if the shop leads there."""
        answer = self.scene.shop.app.test_client().post("/pay/checkout/A1")
        session_id = (answer.location or "").rpartition("/")[2]

        if answer.status_code == 303 and session_id in self.scene.sim.sessions:
            self.scene.sessions.append(session_id)

    @precondition(has_sessions)
    @rule(number=ANY, late=st.booleans())
    def pay(self, number: int, late: bool) -> None:
        """Pay on the hosted page; a slow bank pays what had failed, and takes its time."""
        if late:
            self.scene.pass_time(5)

        with suppress(SessionOverError):
            self.scene.sim.pay(self.session(number), late=late)

    @precondition(has_sessions)
    @rule(number=ANY)
    def be_declined(self, number: int) -> None:
        """Give up after a decline."""
        with suppress(SessionOverError):
            self.scene.sim.decline(self.session(number), "51")

    # The gateway and the way to it.

    @rule(kind=st.sampled_from(["callback_lost", "callback_duplicated"]))
    def disturb_callbacks(self, kind: str) -> None:
        """Lose the next callbacks, or send them twice."""
        self.scene.sim.fault(kind, times=3)

    @rule(
        kind=st.sampled_from(["error", "drop_before", "drop_after", "truncated", "html"]),
        on=st.sampled_from(["status", "sessions"]),
    )
    def disturb_calls(self, kind: str, on: str) -> None:
        """Break what we ask the gateway for."""
        self.scene.sim.fault(kind, on=on, times=2)

    @rule()
    def mend(self) -> None:
        """Have everything work again."""
        self.scene.sim.faults.clear()

    @precondition(has_sessions)
    @rule(number=ANY)
    def report_another_price(self, number: int) -> None:
        """Say of a session that was paid that it was paid at another price."""
        session_id = self.session(number)

        if self.scene.sim.sessions[session_id].status == "paid":
            self.scene.shop.deliver(report(session_id, price="1"))

    # The clock.

    @rule(seconds=st.sampled_from([1, 5, 60, 16 * 60]))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.scene.pass_time(seconds)

    @rule(seconds=st.sampled_from([5, 16 * 60]))
    def have_a_fast_clock(self, seconds: int) -> None:
        """Let the shop's clock run ahead of the gateway's."""
        self.scene.shop.clock.step(seconds)

    # The shop and its people.

    @rule(price=st.sampled_from(["1000", "5000"]))
    def change_the_price(self, price: str) -> None:
        """Change the order."""
        self.scene.reprice(price)

    @rule()
    def reconcile(self) -> None:
        """Ask about all that is due."""
        with self.scene.shop.app.app_context():
            self.scene.shop.spayon.reconcile(jobs=1)

    @rule(accept=st.booleans())
    def decide(self, accept: bool) -> None:
        """Accept or refuse what is under review, as far as that may be done."""
        with self.scene.shop.app.app_context():
            ledger = self.scene.shop.spayon.state.storage.ledger
            waiting = [each.session_id for each in ledger.every(Filter(status="review"))]
            paid = ledger.page(Filter(status="paid"), limit=1).payments != []

        for session_id in waiting[:1]:
            if not (accept and paid):
                self.scene.settle(session_id, accept=accept)

    # What must hold.

    @invariant()
    def every_page_is_true(self) -> None:
        """Read every page: `Scene.look` holds it against the ledger.

        None offers to pay what is known to be paid: by our own table, since what nobody has told us
        cannot be known.
        """
        with self.scene.shop.app.app_context():
            ledger = self.scene.shop.spayon.state.storage.ledger
            found = ledger.every(Filter(order_id="A1"))
            known = {each.status for each in found} & {"paid", "review"}

        for paths in self.scene.pages().values():
            for path in paths:
                if "None" not in path:
                    words = self.scene.look(path)
                    assert not (known and any(offer in words for offer in OFFERS)), words


def test_every_page_is_true_wherever_a_walk_leads(
    kept: KeptShops, kept_simulator: KeptSimulator
) -> None:
    def make_scene() -> Scene:
        shop = kept.shop("sqlite")
        sim = kept_simulator.renew(time_scale=0, seed=1, transport=in_process(shop))
        sim.clock.set(shop.clock())
        shop.configure(SPAYON_API_URL=sim.url)
        shop.add_order()
        return Scene(shop, sim)

    class Here(OneOrder):
        pass

    Here.make_scene = staticmethod(make_scene)
    run_state_machine_as_test(Here, settings=settings(stateful_step_count=15))

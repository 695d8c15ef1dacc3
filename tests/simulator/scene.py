"""A scene: everything that takes part when a payment session is paid at the simulator."""

from dataclasses import dataclass

from spayon_flask.simulator import Delivery, PaymentSession, Simulator
from tests.simulator.bare import Bare
from tests.simulator.shop import Shop


@dataclass
class Scene:
    """A simulator, a shop that listens, a client with a token, and a session of that shop."""

    sim: Simulator
    shop: Shop
    api: Bare
    session: PaymentSession

    def pay(self) -> Delivery:
        """Pay the session; return the delivery of its callback."""
        delivery = self.sim.pay(self.session.id)
        assert delivery is not None
        return delivery

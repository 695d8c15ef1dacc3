"""A stand-in for Spayon on a real port, for development, tests and the demo.

It imports nothing from the rest of the package, so that one mistake cannot agree with itself.
"""

from .creation import Panel
from .creation import Product
from .deliveries import Attempt
from .deliveries import Delivery
from .faults import Fault
from .gateway import SessionOverError
from .log import ApiRequest
from .server import ConnectionCutError
from .sessions import CARDS
from .sessions import Card
from .sessions import PaymentSession
from .shape import Shape
from .simulator import Simulator


__all__ = [
    "CARDS",
    "ApiRequest",
    "Attempt",
    "Card",
    "ConnectionCutError",
    "Delivery",
    "Fault",
    "Panel",
    "PaymentSession",
    "Product",
    "SessionOverError",
    "Shape",
    "Simulator",
]

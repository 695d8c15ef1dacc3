"""A stand-in for Spayon on a real port, for development, tests and the demo.

It imports nothing from the rest of the package, so that one mistake cannot agree with itself.
"""

from .creation import Panel, Product
from .deliveries import Attempt, Delivery
from .faults import Fault
from .gateway import SessionOverError
from .log import ApiRequest
from .server import ConnectionCutError
from .sessions import CARDS, Card, PaymentSession
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

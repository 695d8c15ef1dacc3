"""A stand-in for Spayon on a real port, for development, tests and the demo.

It imports nothing from the rest of the package, so that one mistake cannot agree with itself.
"""

from .cards import CARDS
from .cards import Card
from .deliveries import Attempt
from .deliveries import Delivery
from .faults import Fault
from .gateway import SessionOverError
from .history import ApiRequest
from .panel import Panel
from .panel import Product
from .reports import Shape
from .sessions import PaymentSession
from .simulator import Simulator


__all__ = [
    "CARDS",
    "ApiRequest",
    "Attempt",
    "Card",
    "Delivery",
    "Fault",
    "Panel",
    "PaymentSession",
    "Product",
    "SessionOverError",
    "Shape",
    "Simulator",
]

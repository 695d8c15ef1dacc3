"""Payments through the Spayon gateway for Flask."""

from .errors import AuthenticationError
from .errors import CallbackError
from .errors import ConfigError
from .errors import GatewayError
from .errors import GatewayUnavailableError
from .errors import HandlerError
from .errors import InvalidPayloadError
from .errors import InvalidSignatureError
from .errors import NeedsReview
from .errors import OrderError
from .errors import OrderNotPayableError
from .errors import RegistrationError
from .errors import RequestRefusedError
from .errors import ReviewError
from .errors import SessionNotFoundError
from .errors import SpayonError
from .errors import UncommittedChangesError
from .errors import UnexpectedAnswerError
from .models import CallbackMixin
from .models import PaymentMixin
from .orders import Order
from .orders import OrderLine
from .reconcile import Summary
from .settings import Settings
from .spayon import Spayon


__all__ = [
    "AuthenticationError",
    "CallbackError",
    "CallbackMixin",
    "ConfigError",
    "GatewayError",
    "GatewayUnavailableError",
    "HandlerError",
    "InvalidPayloadError",
    "InvalidSignatureError",
    "NeedsReview",
    "Order",
    "OrderError",
    "OrderLine",
    "OrderNotPayableError",
    "PaymentMixin",
    "RegistrationError",
    "RequestRefusedError",
    "ReviewError",
    "SessionNotFoundError",
    "Settings",
    "Spayon",
    "SpayonError",
    "Summary",
    "UncommittedChangesError",
    "UnexpectedAnswerError",
]

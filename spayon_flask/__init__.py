"""Payments through the Spayon gateway for Flask."""

from .domain.orders import Order, OrderLine
from .errors import (
    AuthenticationError,
    CallbackError,
    ConfigError,
    GatewayError,
    GatewayUnavailableError,
    HandlerError,
    InvalidPayloadError,
    InvalidSignatureError,
    NeedsReview,
    OrderError,
    OrderNotPayableError,
    RegistrationError,
    RequestRefusedError,
    ReviewError,
    SessionNotFoundError,
    SpayonError,
    UncommittedChangesError,
    UnexpectedAnswerError,
    UnknownVendorError,
)
from .reconcile import Summary
from .settings import Credentials, Settings
from .spayon import Spayon
from .storage.models import CallbackMixin, PaymentMixin

__all__ = [
    "AuthenticationError",
    "CallbackError",
    "CallbackMixin",
    "ConfigError",
    "Credentials",
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
    "UnknownVendorError",
]

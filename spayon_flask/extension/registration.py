"""Registration: the decorators by which a shop hands in its functions."""

from __future__ import annotations

from ..handlers import DispatcherT
from ..handlers import Handlers
from ..handlers import HandlerT
from ..handlers import OrderLoaderT


class Registration:
    """Keep the shop's functions; each decorator hands its function back as it was."""

    def __init__(self) -> None:
        self._handlers = Handlers()

    @property
    def handlers(self) -> Handlers:
        """What the shop registered."""
        return self._handlers

    def order_loader(self, function: OrderLoaderT) -> OrderLoaderT:
        """Register *function*: it takes an order id and returns an `Order`, or None for a 404."""
        self._handlers.order_loader = function
        return function

    def dispatcher(self, function: DispatcherT) -> DispatcherT:
        """Register *function*: it takes the id of a callback row, after the commit."""
        self._handlers.dispatcher = function
        return function

    def on_paid(self, function: HandlerT) -> HandlerT:
        """Register *function* for payments that become paid: once each, in the transaction."""
        return self._register("paid", function)

    def on_failed(self, function: HandlerT) -> HandlerT:
        """Register *function* for payments that become failed."""
        return self._register("failed", function)

    def on_expired(self, function: HandlerT) -> HandlerT:
        """Register *function* for payments that become expired."""
        return self._register("expired", function)

    def on_review(self, function: HandlerT) -> HandlerT:
        """Register *function* for payments that a person has to look at."""
        return self._register("review", function)

    def _register(self, status: str, function: HandlerT) -> HandlerT:
        # A module that is imported twice must not ship the goods twice.
        if function not in self._handlers.by_status[status]:
            self._handlers.by_status[status].append(function)

        return function

"""Handlers: the shop's own functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import TypeVar

from .orders import Order


#: Given an order id; None where there is no such order.
OrderLoader = Callable[[str], Order | None]

#: Given the payment, inside the transaction that records it.
Handler = Callable[[Any], object]

#: Given the id of a callback row, after the commit.
Dispatcher = Callable[[int], object]

#: A function that a decorator hands back as it was, with its own type.
OrderLoaderT = TypeVar("OrderLoaderT", bound=OrderLoader)
HandlerT = TypeVar("HandlerT", bound=Handler)
DispatcherT = TypeVar("DispatcherT", bound=Dispatcher)


class Handlers:
    """What a shop registered: handlers by the status that they wait for, in order."""

    def __init__(self) -> None:
        self.order_loader: OrderLoader | None = None
        self.dispatcher: Dispatcher | None = None
        self.by_status: dict[str, list[Handler]] = {
            "paid": [],
            "failed": [],
            "expired": [],
            "review": [],
        }

    def add(self, status: str, function: HandlerT) -> HandlerT:
        """Have *function* run for payments that become *status*; return it as it was."""
        # A module that is imported twice must not ship the goods twice.
        if function not in self.by_status[status]:
            self.by_status[status].append(function)

        return function

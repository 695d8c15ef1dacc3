"""Decorators: what a shop registers its functions with."""

from __future__ import annotations

from typing import Any

from .handlers import (
    DetailsHandlerT,
    DispatcherT,
    Handlers,
    HandlerT,
    LanguageChooserT,
    OrderLoaderT,
)
from .registration import Registry

#: What a decorator gets if it is written with parentheses.
_NOTHING: Any = None


class Decorators:
    """Register the shop's functions; `Registry` tells which apps run them.

    Each decorator hands the function back as it was, and raises `RegistrationError` for what is no
    plain function.
    """

    def __init__(self, *, has_vendors: bool) -> None:
        self._has_vendors = has_vendors
        self._registry = Registry()

    @property
    def handlers(self) -> Handlers:
        """What the shop registered, as the newest app runs it."""
        return self._registry.newest

    def order_loader(self, function: OrderLoaderT = _NOTHING) -> OrderLoaderT:
        """Register *function*: it takes an order's key and returns an `Order`, or None for a 404.

        The key is a part of the URL of the checkout page: `order_id`, unless the order has a `key`.
        With many vendors it takes the key and the vendor.
        """
        self._registry.add("order_loader", function, arguments=2 if self._has_vendors else 1)
        return function

    def dispatcher(self, function: DispatcherT = _NOTHING) -> DispatcherT:
        """Register *function*: it takes the id of a callback row, after the commit."""
        self._registry.add("dispatcher", function)
        return function

    def language(self, function: LanguageChooserT = _NOTHING) -> LanguageChooserT:
        """Register *function*: it takes nothing and returns the code of the payer's language.

        It is called in each request for a page. If it returns None, the language is chosen as if
        there were no such function.
        """
        self._registry.add("language", function, arguments=0)
        return function

    def on_details(self, function: DetailsHandlerT = _NOTHING) -> DetailsHandlerT:
        """Register *function* for what a payer typed on the checkout page.

        It takes the payment and a mapping with `email`, `full_name` or both, in the transaction
        that writes the payment. We keep none of it.
        """
        self._registry.add("on_details", function, arguments=2)
        return function

    def on_paid(self, function: HandlerT = _NOTHING) -> HandlerT:
        """Register *function* for payments that become paid: once each, in the transaction."""
        self._registry.add("on_paid", function)
        return function

    def on_failed(self, function: HandlerT = _NOTHING) -> HandlerT:
        """Register *function* for payments that become failed."""
        self._registry.add("on_failed", function)
        return function

    def on_expired(self, function: HandlerT = _NOTHING) -> HandlerT:
        """Register *function* for payments that become expired."""
        self._registry.add("on_expired", function)
        return function

    def on_review(self, function: HandlerT = _NOTHING) -> HandlerT:
        """Register *function* for payments that a person has to look at."""
        self._registry.add("on_review", function)
        return function

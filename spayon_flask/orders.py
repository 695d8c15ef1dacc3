"""Order: what a shop asks money for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import KW_ONLY
from dataclasses import dataclass
from dataclasses import field
from decimal import Decimal
from typing import Any

from .errors import OrderError
from .money import check_price
from .money import read_currency


#: The width of the text columns that hold an order id or a session id.
MAX_ID_LENGTH = 255

MAX_TEXT_LENGTH = 255

# Control characters (PostgreSQL takes no NUL) and lone surrogates (no encoding takes them).
# Compiled at its first use: so wide a range takes as long as to import three modules.
_CONTROL = r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]"


@dataclass(frozen=True)
class Order:
    """What is to be paid, as the shop's server knows it.

    Either *product_id*, a product set up in Spayon's admin panel, or *product_name*, *price* (a
    `Decimal`, at most 15 digits and 4 decimals) and *currency* (three letters). Raises
    `OrderError`, which names the field and what is wrong with it. Who pays shows in no repr.
    """

    _: KW_ONLY
    order_id: str
    product_id: int | None = None
    product_name: str | None = None
    price: Decimal | None = None
    currency: str | None = None
    email: str | None = field(default=None, repr=False)
    username: str | None = field(default=None, repr=False)
    full_name: str | None = field(default=None, repr=False)
    language: str | None = None
    available_payment_methods: Sequence[str] | None = None
    default_payment_method: str | None = None

    def __post_init__(self) -> None:
        check_id("order_id", self.order_id)

        if self.product_id is not None:
            self._check_panel_product()

        else:
            self._check_custom_product()

        for name in ("email", "username", "full_name", "language", "default_payment_method"):
            if (value := getattr(self, name)) is not None:
                check_text(name, value)

        self._check_payment_methods()

    def is_asked_by(self, payment: Any) -> bool:
        """Say whether *payment* asks for the same product, at the same price and currency."""
        mine = (self.product_id, self.product_name, self.price, self.currency)
        return mine == (
            payment.product_id,
            payment.product_name,
            payment.price,
            payment.currency,
        )

    def _check_panel_product(self) -> None:
        if isinstance(self.product_id, bool) or not isinstance(self.product_id, int):
            raise OrderError(f"product_id must be an int, not {type(self.product_id).__name__}")

        if not 0 < self.product_id < 2**63:
            raise OrderError(f"product_id must be a positive 64-bit number, not {self.product_id}")

        if (self.product_name, self.price, self.currency) != (None, None, None):
            raise OrderError(
                "give either product_id, or product_name, price and currency, not both: "
                "the price of a product_id comes from Spayon's admin panel"
            )

    def _check_custom_product(self) -> None:
        if self.product_name is None or self.price is None or self.currency is None:
            raise OrderError("give either product_id, or all of product_name, price and currency")

        check_text("product_name", self.product_name)

        if not isinstance(self.price, Decimal):
            raise OrderError(
                f"price must be a Decimal, not {type(self.price).__name__}: "
                "write Decimal('10.50'), so that no digit is lost"
            )

        try:
            check_price(self.price)

        except ValueError as error:
            raise OrderError(f"price: {error}") from None

        currency = read_currency(self.currency)

        if currency is None:
            raise OrderError(f"currency must be three letters such as 'AMD', not {self.currency!r}")

        object.__setattr__(self, "currency", currency)

    def _check_payment_methods(self) -> None:
        methods = self.available_payment_methods

        if methods is None:
            return

        if isinstance(methods, str) or not methods:
            raise OrderError("available_payment_methods must be a list of names, or None")

        for method in methods:
            check_text("available_payment_methods", method)

        if self.default_payment_method not in (None, *methods):
            raise OrderError("default_payment_method must be one of available_payment_methods")

        object.__setattr__(self, "available_payment_methods", tuple(methods))


def is_lazy_text(value: object) -> bool:
    """Return True if *value* becomes text when it is shown, as Flask-Babel's `lazy_gettext` does.

    Such an object is no `str`, but answers to the methods of one.
    """
    return not isinstance(value, str) and all(
        callable(getattr(value, name, None)) for name in ("casefold", "encode")
    )


def has_control_characters(text: str) -> bool:
    """Say whether *text* holds characters that a database or a page cannot take."""
    return re.search(_CONTROL, text) is not None


def check_text(name: str, value: object) -> None:
    """Raise `OrderError` unless *value* is printable text of 1 to 255 characters."""
    if not isinstance(value, str):
        raise OrderError(f"{name} must be text, not {type(value).__name__}")

    if not value.strip() or len(value) > MAX_TEXT_LENGTH:
        raise OrderError(f"{name} must have 1 to {MAX_TEXT_LENGTH} characters")

    if has_control_characters(value):
        raise OrderError(f"{name} must not hold control characters")


def check_id(name: str, value: object) -> None:
    """Raise `OrderError` unless *value* can serve as a key in any database."""
    check_text(name, value)

    # MariaDB compares text without its trailing spaces, so two ids could become one.
    if str(value) != str(value).strip():
        raise OrderError(f"{name} must not begin or end with white space")

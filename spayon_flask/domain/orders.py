"""Order: what a shop asks money for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field, fields
from decimal import Decimal
from typing import Any

from ..errors import OrderError
from .money import check_price, read_currency
from .redaction import hides_its_fields

#: The width of the text columns that hold an order id or a session id.
MAX_ID_LENGTH = 255
MAX_TEXT_LENGTH = 255
MAX_URL_LENGTH = 2000

#: What an attempt's id has behind the order's own: a letter, so that no date looks like it, and the
#: beginning of a digest.
_MARK = "_R{}"
_DIGITS = 7

#: How a price that is kept as a float becomes one that can be paid.
_FROM_FLOAT = "round(Decimal(str(x)), 2)"

#: A pattern of control characters (PostgreSQL takes no NUL) and lone surrogates (no encoding takes
#: them). Compiled at its first use: so wide a range takes as long as to import three modules.
CONTROL_CHARACTERS = r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]"


@dataclass(frozen=True)
class OrderLine:
    """A line of what is bought: *quantity* pieces of *name*, at *price* each.

    *quantity* is an int or a `Decimal` above 0. *price* is a `Decimal` in the order's currency; a
    discount is below 0. Raises `OrderError`.
    """

    name: str
    quantity: int | Decimal
    price: Decimal

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", as_text(self.name))
        check_text("lines: name", self.name)

        if isinstance(self.quantity, bool) or not isinstance(self.quantity, int | Decimal):
            kind = type(self.quantity).__name__
            raise OrderError(f"lines: quantity must be an int or a Decimal, not {kind}")

        _check_amount("lines: quantity", Decimal(self.quantity))

        _check_amount("lines: price", self.price, any_sign=True)

    @property
    def total(self) -> Decimal:
        """The price of all pieces of the line."""
        return self.price * self.quantity


@hides_its_fields(OrderError)
@dataclass(frozen=True)
class Order:
    """What is to be paid, as the shop's server knows it.

    Either *product_id*, a product set up in Spayon's admin panel, or *product_name*, *price* (a
    `Decimal`, at most 15 digits and 4 decimals) and *currency* (three letters).

    Shown to the payer, and never sent to Spayon: *url*, the order's page in the shop; *lines*, what
    is bought (each an `OrderLine` or a tuple of name, quantity, price); *thanks_url*, where the
    return page sends the payer on once the order is paid; *closed*, why the order cannot be paid
    any more, None if it can. URLs are http(s), or paths that begin with `/`. *key* is the
    unguessable code that the order loader knows the order by, *order_id* if there is none.

    Raises `OrderError`, which names the field and what is wrong with it. The repr shows no personal
    data, and nothing that opens the order.
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
    key: str | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)
    thanks_url: str | None = field(default=None, repr=False)
    lines: Sequence[OrderLine | tuple[str, int | Decimal, Decimal]] = field(default=(), repr=False)
    closed: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        check_id("order_id", self.order_id)

        if self.key is None:
            object.__setattr__(self, "key", self.order_id)

        check_id("key", self.key)

        texts = ("product_name", "email", "username", "full_name", "language", "closed")

        for name in (*texts, "default_payment_method"):
            if (value := as_text(getattr(self, name))) is not None:
                check_text(name, value)
                object.__setattr__(self, name, value)

        if self.product_id is not None:
            self._check_panel_product()

        else:
            self._check_custom_product()

        for name in ("url", "thanks_url"):
            if (value := getattr(self, name)) is not None and not is_link(value):
                raise OrderError(f"{name} must be an http(s) URL, or a path that begins with /")

        self._check_payment_methods()
        object.__setattr__(self, "lines", tuple(_read_line(line) for line in self.lines or ()))

    def is_asked_by(self, payment: Any) -> bool:
        """Return True if *payment* asks for the same product, at the same price and currency.

        Another name of the product changes nothing: it may be that of another language.
        """
        if self.product_id is not None:
            return bool(self.product_id == payment.product_id)

        theirs = (payment.product_id, payment.price, payment.currency)
        return theirs == (None, self.price, self.currency)

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

        _check_amount("price", self.price)

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


def _read_line(line: object) -> OrderLine:
    """Return *line*, made from a tuple of name, quantity and price if it is one."""
    if isinstance(line, OrderLine):
        return line

    if not isinstance(line, tuple | list) or len(line) != len(fields(OrderLine)):
        raise OrderError("lines must hold OrderLine objects, or tuples of name, quantity, price")

    return OrderLine(*line)


def _check_amount(name: str, amount: object, *, any_sign: bool = False) -> None:
    """Raise `OrderError` unless *amount* is an exact amount above 0, or of *any_sign*."""
    if not isinstance(amount, Decimal):
        kind = type(amount).__name__
        raise OrderError(f"{name} must be a Decimal, not {kind}: write {_FROM_FLOAT}")

    try:
        if not any_sign or amount != 0:
            check_price(abs(amount) if any_sign else amount)

    except ValueError as error:
        # A Decimal that was made from a float has its error in some fiftieth digit.
        hint = f": if it was a float, write {_FROM_FLOAT}" if "at most" in str(error) else ""
        raise OrderError(f"{name}: {error}{hint}") from None


def is_link(value: object) -> bool:
    """Return True if *value* may stand in a link: an http(s) URL, or a path on the same host."""
    if not isinstance(value, str) or len(value) > MAX_URL_LENGTH or has_control_characters(value):
        return False

    # A browser reads "//" and "/\\" as the beginning of another host.
    if value.startswith("/"):
        return not value.startswith(("//", "/\\"))

    return re.match(r"https?://[^/?#\\\s]", value) is not None


def as_text(value: Any) -> Any:
    """Return lazy text as plain text, and any other *value* as it is."""
    return str(value) if is_lazy_text(value) else value


def is_lazy_text(value: object) -> bool:
    """Return True if *value* becomes text when it is shown, as Flask-Babel's `lazy_gettext` does.

    Such an object is no `str`, but answers to the methods of one.
    """
    return not isinstance(value, str) and all(
        callable(getattr(value, name, None)) for name in ("casefold", "encode")
    )


def attempt_id(order_id: str, reference: str) -> str:
    """Return an order id for one attempt only: `A1` and a mark made from the *reference*: `A1_R3…`.

    An order id that leaves no room for a mark stays as it is. Nobody can guess the mark, so no
    order has such an id by chance. It has only characters of the documented example.
    """
    # Relies on: used-order-id
    digest = hashlib.sha256(reference.encode()).hexdigest().upper()
    found = order_id + _MARK.format(digest[:_DIGITS])
    return found if len(found) <= MAX_ID_LENGTH else order_id


def without_mark(order_id: str) -> str:
    """Return the order that the id of an attempt belongs to; any other *order_id* as it is."""
    mark = _MARK.format(f"[0-9A-F]{{{_DIGITS}}}")
    return re.sub(rf"(?<=.){mark}\Z", "", order_id)


def names_order(told: str | None, order_id: str, reference: str) -> bool:
    """Return True if Spayon *told* of this order, by its own id or by that of this attempt."""
    return told is not None and told in (order_id, attempt_id(order_id, reference))


def has_control_characters(text: str) -> bool:
    """Return True if *text* holds characters that a database or a page cannot take."""
    return re.search(CONTROL_CHARACTERS, text) is not None


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


def is_id(value: str) -> bool:
    """Return True if an order can have *value* as its id."""
    with suppress(OrderError):
        check_id("order_id", value)
        return True

    return False

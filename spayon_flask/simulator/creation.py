"""Creation: the body of `POST /api/product/session`, checked field by field.

What the body leaves out comes from the panel: what a vendor has set up in Spayon's admin panel.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

TEXTS = ("email", "username", "full_name", "order_id", "defaultPaymentMethod", "language")
URLS = ("callback_url", "return_url", "cancel_url")
CUSTOM = ("product_name", "price", "currency")
KNOWN = {*TEXTS, *URLS, *CUSTOM, "product_id", "availablePaymentMethods"}

#: Fields of a creation that Spayon may insist on.
REQUIRABLE = (
    "callback_url", "return_url", "cancel_url", "email", "username", "full_name", "order_id",
    "language", "availablePaymentMethods", "defaultPaymentMethod",
)  # fmt: skip

#: What a creation may be refused for, though nothing in it is malformed.
REFUSABLE = (
    "decimal-price", "lower-case-currency", "upper-case-currency", "language-hy", "language-ru",
    "language-en", "unknown-payment-method", "long-product-name",
)  # fmt: skip

MAX_TEXT = 2000

#: The payment methods that the documentation names, and one more.
METHODS = {"visamaster", "mir", "arca"}

#: A name of so many letters is a long one.
LONG_NAME = 200

CURRENCY_LETTERS = 3


#: No price comes near this.
TOO_MUCH = Decimal(10) ** 15


class BadBodyError(ValueError):
    """The body is refused; the message says why, to the developer who sent it."""


@dataclass(frozen=True)
class Product:
    """A product of the admin panel, sold by its number."""

    name: str
    price: Decimal
    currency: str


def _products() -> dict[int, Product]:
    return {
        1: Product("iPhone 16 Pro case", Decimal(5000), "AMD"),
        2: Product("Day ticket", Decimal("1500.50"), "AMD"),
        3: Product("Gift card", Decimal(25), "USD"),
    }


@dataclass
class Panel:
    """Hold the simulated vendor's settings.

    Spayon's documentation: callback, return and cancel URLs can be configured in the panel as
    defaults; a session that names its own goes by those.
    """

    products: dict[int, Product] = field(default_factory=_products)
    callback_url: str | None = None
    return_url: str | None = None
    cancel_url: str | None = None


@dataclass(frozen=True)
class Creation:
    """What a shop asked for when it created a payment session."""

    product_name: str
    price: Decimal
    currency: str
    product_id: int | None = None
    callback_url: str | None = None
    return_url: str | None = None
    cancel_url: str | None = None
    email: str | None = None
    username: str | None = None
    full_name: str | None = None
    order_id: str | None = None
    language: str | None = None
    payment_methods: tuple[str, ...] = ()
    default_payment_method: str | None = None
    unknown_fields: tuple[str, ...] = field(default=())

    @classmethod
    def from_json(
        cls, raw: bytes, panel: Panel, *, required: Sequence[str] = (), refused: Sequence[str] = ()
    ) -> "Creation":
        """Read *raw*, taking a product or a URL that it leaves out from *panel*.

        A `BadBodyError` says what is wrong with *raw*, which of the *required* fields it lacks, or
        what of it is *refused*.
        """
        fields = _object(raw)
        missing = [key for key in required if fields.get(key) in (None, "", [])]
        if missing:
            raise BadBodyError(f"{' and '.join(missing)} missing")

        name, price, currency = _product(fields, panel)
        urls = {key: read_url(fields, key) or getattr(panel, key) for key in URLS}
        texts = {key: _text(fields, key) for key in TEXTS}
        methods = _methods(fields)
        for each in refused:
            if _has(each, fields):
                raise BadBodyError(f"{each} is refused here")

        return cls(
            product_name=name,
            price=price,
            currency=currency,
            product_id=fields.get("product_id"),
            payment_methods=methods,
            default_payment_method=texts.pop("defaultPaymentMethod"),
            unknown_fields=tuple(sorted(fields.keys() - KNOWN)),
            **urls,
            **texts,
        )


def _has(what: str, fields: Mapping[str, Any]) -> bool:
    """Return True if a creation has what the switch `refused` calls *what*."""
    kind, _, rest = what.partition("-")
    if kind == "language":
        return fields.get("language") == rest

    price, currency = fields.get("price"), str(fields.get("currency") or "")
    methods = fields.get("availablePaymentMethods")
    return {
        "decimal-price": isinstance(price, Decimal) and price != int(price),
        "lower-case-currency": currency.islower(),
        "upper-case-currency": currency.isupper(),
        "unknown-payment-method": isinstance(methods, list) and not {*methods} <= METHODS,
        "long-product-name": len(str(fields.get("product_name") or "")) >= LONG_NAME,
    }[what]


def _object(raw: bytes) -> dict[str, Any]:
    fields = read_json(raw, parse_float=Decimal, parse_constant=_no_number)
    if not isinstance(fields, dict):
        raise BadBodyError('the body must be a JSON object, such as {"product_id": 1}')

    return fields


def read_json(raw: bytes, **options: Any) -> Any:
    """Return what the JSON *raw* says; a `BadBodyError` says why it says nothing.

    A text with half of a surrogate pair cannot be written down again, in a page or in a file, so
    it is refused here, by the name of its field.
    """
    try:
        found = json.loads(raw, **options)
    except (ValueError, RecursionError, ArithmeticError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadBodyError(f"the body is not JSON: {why}") from None

    for name, value in found.items() if isinstance(found, dict) else [("the body", found)]:
        try:
            json.dumps([name, value], ensure_ascii=False, default=str).encode()
        except (UnicodeEncodeError, RecursionError):
            raise BadBodyError(
                f"{ascii(name)[1:-1]} holds half of a surrogate pair, which is no text"
            ) from None

    return found


def _no_number(word: str) -> Decimal:
    raise ValueError(f"{word} is not a number in JSON")


def _product(fields: Mapping[str, Any], panel: Panel) -> tuple[str, Decimal, str]:
    given = [key for key in CUSTOM if fields.get(key) is not None]
    if fields.get("product_id") is None:
        missing = [key for key in CUSTOM if key not in given]
        if missing:
            raise BadBodyError(
                f"{' and '.join(missing)} missing: send product_id, or all of {', '.join(CUSTOM)}"
            )

        return _name(fields), _price(fields["price"]), _currency(fields["currency"])

    number = fields["product_id"]
    if given:
        raise BadBodyError(
            f"product_id stands in place of {', '.join(given)}: send one or the other"
        )

    if not isinstance(number, int) or isinstance(number, bool):
        raise BadBodyError(f"product_id must be an integer, not {_kind(number)}")

    if number not in panel.products:
        known = ", ".join(map(str, sorted(panel.products)))
        raise BadBodyError(
            f"product_id {number} is not set up in the admin panel; it knows {known}"
        )

    product = panel.products[number]
    return product.name, product.price, product.currency


def _name(fields: Mapping[str, Any]) -> str:
    name = (_text(fields, "product_name") or "").strip()
    if not name:
        raise BadBodyError("product_name is empty")

    return name


def _price(price: object) -> Decimal:
    if isinstance(price, bool) or not isinstance(price, int | Decimal):
        raise BadBodyError(f"price must be a number such as 1000, not {_kind(price)}")

    if not 0 < price < TOO_MUCH:
        raise BadBodyError(f"price must be above zero and below a quadrillion, not {price}")

    return Decimal(price)


def _currency(currency: object) -> str:
    if (
        not isinstance(currency, str)
        or len(currency) != CURRENCY_LETTERS
        or not currency.isascii()
        or not currency.isalpha()
    ):
        raise BadBodyError("currency must be three letters such as amd")

    return currency.upper()


def _text(fields: Mapping[str, Any], key: str) -> str | None:
    text = fields.get(key)
    if text is not None and not isinstance(text, str):
        raise BadBodyError(f"{key} must be a string, not {_kind(text)}")

    if text is not None and len(text) > MAX_TEXT:
        raise BadBodyError(f"{key} is longer than {MAX_TEXT} characters")

    return text


def read_url(fields: Mapping[str, Any], key: str) -> str | None:
    """Return the field *key*, a URL of the shop; a `BadBodyError` says that it is none."""
    url = _text(fields, key)
    if not url:
        return None

    try:
        parts = urlsplit(url)
        usable = (
            parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
        )
    except ValueError:
        usable = False

    if not usable or any(letter.isspace() for letter in url):
        raise BadBodyError(
            f"{key} must be an absolute URL such as https://example.com/pay, not {url[:100]!r}"
        )

    return url


def _methods(fields: Mapping[str, Any]) -> tuple[str, ...]:
    methods = fields.get("availablePaymentMethods")
    if methods is None:
        return ()

    if not isinstance(methods, list) or not all(isinstance(method, str) for method in methods):
        raise BadBodyError(
            'availablePaymentMethods must be a list of strings such as ["visamaster"]'
        )

    return tuple(methods)


def _kind(value: object) -> str:
    names = {
        str: "a string", bool: "true or false", list: "a list", dict: "an object",
        int: "a number", Decimal: "a number with a fraction",
    }  # fmt: skip
    return names.get(type(value), "null")

"""What a vendor sets up in Spayon's admin panel: products and the URLs used by default."""

from dataclasses import dataclass
from dataclasses import field
from decimal import Decimal


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

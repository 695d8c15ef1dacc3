"""Totals: payments counted and added up, exactly, by status and currency."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from typing import NamedTuple

from sqlalchemy import Integer
from sqlalchemy import case
from sqlalchemy import cast
from sqlalchemy import func
from sqlalchemy import select

from .ledger import Filter
from .transactions import Part


#: A price has at most 4 decimals.
_UNIT = 10_000


class Total(NamedTuple):
    """The payments of one *status* and *currency*: how many, and what Spayon took for them.

    *unpriced* of them have no readable amount. *refunded* of them, with *refunded_amount*, are
    noted as given back.
    """

    status: str
    currency: str | None
    number: int
    amount: Decimal
    unpriced: int = 0
    refunded: int = 0
    refunded_amount: Decimal = Decimal(0)


class Totals(Part):
    """Count the payments of one account, and add up what Spayon took for them."""

    def count(self, wanted: Filter) -> int:
        """Return how many payments are *wanted*."""
        query = select(func.count()).select_from(self.payment)
        return int(
            self.connect()
            .execute(query.where(*wanted.conditions(self.payment, self.account)))
            .scalar_one()
        )

    def add_up(self, wanted: Filter) -> list[Total]:
        """Add up the payments of *wanted* by status and currency."""
        p = self.payment.c
        # As a subquery: PostgreSQL takes two texts of one expression with values for two.
        t = (
            select(
                p.status,
                p.refunded_at,
                self._currency.label("currency"),
                self._amount.label("amount"),
            )
            .where(*wanted.conditions(self.payment, self.account))
            .subquery("taken")
            .c
        )
        refunded = case((t.refunded_at.is_not(None), t.amount))
        query = (
            select(
                t.status,
                t.currency,
                func.count().label("number"),
                *self._sums(t.amount, "amount"),
                (func.count() - func.count(t.amount)).label("unpriced"),
                func.count(t.refunded_at).label("refunded"),
                *self._sums(refunded, "refunded_amount"),
            )
            .group_by(t.status, t.currency)
            .order_by(t.status, t.currency)
        )
        return [
            Total(
                row["status"],
                row["currency"],
                row["number"],
                _exact_sum(row, "amount"),
                row["unpriced"],
                row["refunded"],
                _exact_sum(row, "refunded_amount"),
            )
            for row in self.connect().execute(query).mappings()
        ]

    @property
    def _amount(self) -> Any:
        """What Spayon took; of a payment from before 0.2 what was asked for."""
        p = self.payment.c
        return case(
            (p.reported_price.is_not(None), p.reported_price), (p.status == "paid", p.price)
        )

    @property
    def _currency(self) -> Any:
        p = self.payment.c
        return case(
            (p.reported_currency.is_not(None), p.reported_currency),
            (p.status == "paid", p.currency),
        )

    def _sums(self, amount: Any, name: str) -> Sequence[Any]:
        if self.connect().dialect.name != "sqlite":
            return (func.sum(amount).label(name),)

        # SQLite adds up floats, which loses digits: so the wholes and the fractions as integers.
        whole = cast(amount, Integer)
        fraction = cast(func.round((amount - whole) * _UNIT), Integer)
        return (func.sum(whole).label(name), func.sum(fraction).label(f"{name}_fraction"))


def _exact_sum(row: Mapping[Any, Any], name: str) -> Decimal:
    fraction = Decimal(row.get(f"{name}_fraction") or 0) / _UNIT
    return Decimal(row[name] or 0) + fraction

"""The callback route: what Spayon posts, and what it is answered."""

from __future__ import annotations

import pytest

from tests.reports import report
from tests.shop import Shop


def test_a_paid_callback_marks_the_order_paid_once(any_shop: Shop) -> None:
    any_shop.add_order()
    any_shop.add_payment()

    assert [any_shop.deliver(report()) for _ in range(3)] == [200, 200, 200]

    assert any_shop.paid_times() == 1
    assert any_shop.payment().status == "paid"
    assert [row.verdict for row in any_shop.callbacks()] == ["applied"]


@pytest.mark.parametrize("path", ["/pay/callback", "/pay/callback/"])
def test_a_callback_is_taken_with_or_without_a_trailing_slash(shop: Shop, path: str) -> None:
    shop.add_order()
    shop.add_payment()

    assert shop.deliver(report(), path=path) == 200

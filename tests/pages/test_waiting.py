"""What a payer who waits for the result reads: other words after 15 and after 60 seconds."""

import re

import pytest

from tests.pages.test_templates import words_of
from tests.shop import Shop

LATE = "This takes longer than usual"
LATER = "Spayon has not told us the result yet"


@pytest.fixture
def waiting(shop: Shop) -> Shop:
    shop.add_payment("S1")

    return shop


def look(shop: Shop, path: str = "/pay/return?session_id=S1") -> tuple[str, str]:
    """Give what the page at *path* says, and the address that it is looked at again by."""
    html = shop.app.test_client().get(path).text
    check = re.search(r'data-check="([^"]+)"', html)
    assert check is not None

    return words_of(html), check[1].replace("&amp;", "&")


def test_a_payer_who_took_time_with_the_card_is_not_told_that_it_takes_long(waiting: Shop) -> None:
    waiting.clock.step(14 * 60)

    assert LATE not in look(waiting)[0]


def test_a_payer_who_has_waited_reads_other_words_after_15_and_60_seconds(waiting: Shop) -> None:
    words, again = look(waiting)
    told = []

    for seconds in (14, 1, 44, 1):
        waiting.clock.step(seconds)
        words, again = look(waiting, again)
        told.append(next((each for each in (LATE, LATER) if each in words), None))

    assert told == [None, LATE, LATE, LATER]


def test_a_payment_without_an_answer_after_its_time_is_late_for_everybody(waiting: Shop) -> None:
    waiting.clock.step(15 * 60 + 15)
    assert LATE in look(waiting)[0]

    waiting.clock.step(45)
    assert LATER in look(waiting)[0]


@pytest.mark.parametrize("since", ["", "x", "-1", "9" * 11, "9" * 400, "1e9", "٣", "\x00"])
def test_a_time_that_is_none_is_the_present(waiting: Shop, since: str) -> None:
    words, again = look(waiting, f"/pay/return?session_id=S1&since={since}")

    assert LATE not in words
    assert again == f"/pay/return?session_id=S1&since={int(waiting.clock().timestamp())}"

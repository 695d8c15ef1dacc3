"""What the pages of the desk answer."""

import re
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from flask import abort

from spayon_flask import NeedsReview, Order, Spayon
from spayon_flask.reconcile import Beat, Heartbeat
from tests.kept import dispose
from tests.promises.helpers import statements
from tests.reports import report
from tests.shop import Shop, make_shop
from tests.staff.conftest import Desk

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}"


def words(html: str) -> str:
    """Return the text of a page in one line."""
    return " ".join(re.sub(r"<[^>]*>", " ", html[html.index("<main") :]).split())


def orders(html: str) -> list[str]:
    """Return the orders of a list, in order."""
    return re.findall(r'spayon-item-link"[^>]*>Order ([^<]+)</a>', html)


def pay(shop: Shop, order_id: str, session_id: str, **fields: Any) -> None:
    """Let an order be paid."""
    shop.add_order(order_id)
    # Nobody has paid before the payment was begun.
    moment = fields.get("updatedAt")
    begun = datetime.fromisoformat(moment.replace("Z", "+00:00")) if moment else shop.clock()
    shop.add_payment(session_id, order_id=order_id, created_at=begun)
    assert shop.deliver(report(session_id, orderId=order_id, **fields)) == 200


def test_today_counts_by_the_day_of_the_shop(desk: Desk) -> None:
    shop = desk.shop
    shop.configure(SPAYON_TIMEZONE="Asia/Yerevan")
    shop.clock.now = datetime(2026, 11, 22, 20, 30, tzinfo=timezone.utc)
    # Half an hour past midnight in Yerevan: one was paid yesterday there, one today.
    pay(shop, "A1", "S1", updatedAt="2026-11-22T19:59:00.000Z")
    pay(shop, "A2", "S2", updatedAt="2026-11-22T20:01:00.000Z")
    pay(shop, "A3", "S3", price="1")
    shop.add_payment("S4", "A4")
    shop.add_payment("S5", "A5")
    shop.deliver(report("S5", "failed", orderId="A5"))

    text = words(desk.get().text)

    assert "Today, 23 November 2026" in text
    assert "Paid today 1 1,000 AMD" in text
    assert "Begun today and not paid 1" in text
    assert "In progress 1" in text
    assert "Under review 1" in text
    assert "22 November 2026 1 1,000 AMD" in text


def test_today_says_in_plain_words_what_needs_care(desk: Desk) -> None:
    desk.shop.spayon.dispatcher(lambda _: 1 / 0)
    desk.shop.add_payment("S1", "A1")
    pay(desk.shop, "A2", "S2")
    desk.shop.deliver(report("S9", orderId="A9"))
    desk.shop.clock.step(3600)

    text = words(desk.get().text)

    assert "1 payment has had no answer from Spayon for more than 30 minutes" in text
    assert "1 report was not handed over to the shop’s queue" in text
    assert "1 report says that something was paid, but this shop does not know" in text
    assert desk.post("/unknown/2", reason="another shop's").status_code == 303
    assert "1 report says that something was paid" not in words(desk.get().text)


def test_today_tells_payments_that_nobody_asks_about_from_those_without_an_answer(
    desk: Desk,
) -> None:
    shop = desk.shop
    shop.add_payment("S1", "A1")
    shop.clock.step(3600)
    nobody_asks = "Perhaps nobody asks: have somebody look whether “reconcile” runs."
    no_answer = "“reconcile” asks about them, but no answer was recorded"
    assert nobody_asks in words(desk.get().text)

    with shop.app.app_context():
        shop.spayon.reconcile()

    text = words(desk.get().text)
    assert no_answer in text
    assert nobody_asks not in text


def test_the_first_page_takes_few_statements_whether_its_days_are_kept_or_not(
    any_desk: Desk,
) -> None:
    pay(any_desk.shop, "A1", "S1")
    counts = []

    for _ in range(2):
        with statements(any_desk.shop) as executed:
            assert any_desk.get().status_code == 200

        counts.append(len(executed))

    assert max(counts) <= 12, counts


def test_the_chart_has_a_text_alternative_and_no_inline_style(desk: Desk) -> None:
    pay(desk.shop, "A1", "S1")

    page = desk.get().text

    assert page.count("<rect ") == 30
    assert 'role="img" aria-labelledby="spayon-chart-title"' in page
    assert "At most 1 payment a day" in page
    assert re.search("<title>22.November.2026 · 1 · 1,000.AMD</title>", page)
    assert "style=" not in page


def test_a_month_without_payments_needs_no_care_and_has_no_chart(desk: Desk) -> None:
    page = desk.get().text

    assert "Needs care" not in page
    assert "<svg" not in page
    assert "Nothing was paid in this time." in words(page)


def test_a_day_that_is_over_is_counted_anew_after_a_while(desk: Desk) -> None:
    desk.get()
    pay(desk.shop, "A1", "S1", updatedAt="2026-11-20T12:00:00.000Z")

    assert "20 November 2026 0" in words(desk.get().text)
    desk.shop.clock.step(601)
    assert "20 November 2026 1" in words(desk.get().text)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["B-3", "A-2", "A-1"]),
        ("?q=A-", ["A-2", "A-1"]),
        ("?q=a-1", ["A-1"]),
        ("?q=S-two", ["A-2"]),
        ("?q=wo", ["A-2"]),
        ("?q=reference-of-S-three", ["B-3"]),
        ("?q=%25", []),
        ("?q=_", []),
        ("?q=%00", []),
        ("?status=failed", ["A-2"]),
        ("?status=nonsense", ["B-3", "A-2", "A-1"]),
        ("?from=2026-11-23", ["B-3", "A-2"]),
        ("?to=2026-11-22", ["A-1"]),
        ("?from=2026-11-23&to=2026-11-23", ["A-2"]),
        ("?from=nonsense&to=9999-12-31", ["B-3", "A-2", "A-1"]),
        ("?after=nonsense", ["B-3", "A-2", "A-1"]),
    ],
)
def test_payments_are_found(any_desk: Desk, query: str, expected: list[str]) -> None:
    shop = any_desk.shop
    shop.add_payment("S-one", "A-1")
    shop.clock.step(86400)
    shop.add_payment("S-two", "A-2")
    shop.deliver(report("S-two", "failed", orderId="A-2"))
    shop.clock.step(86400)
    shop.add_payment("S-three", "B-3")

    assert orders(any_desk.get(f"/list{query}").text) == expected


def test_pages_of_a_list_show_each_payment_once(any_desk: Desk) -> None:
    # Many begin at the same moment: then the id decides.
    for number in range(120):
        if number % 50 == 0:
            any_desk.shop.clock.step(1)

        any_desk.shop.add_payment(f"S{number}", f"A{number}")

    seen: list[str] = []
    url: str | None = "/list"

    while url is not None:
        page = any_desk.get(url).text
        seen += orders(page)
        found = re.search(r'href="/staff/payments(/list\?after=[^"]+)">Older', page)
        url = found[1] if found else None

    assert seen == [f"A{number}" for number in reversed(range(120))]


def test_an_old_payment_is_found_by_its_whole_order_at_once_and_by_a_part_further_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spayon_flask.storage.ledger.LOOK_THROUGH", 10)

    for number in range(30):
        desk.shop.clock.step(60)
        desk.shop.add_payment(f"S{number}", f"order-{number}-x")

    assert orders(desk.get("/list?q=order-0-x").text) == ["order-0-x"]
    assert "Search for it as a part, too" in desk.get("/list?q=order-0-x").text
    page = desk.get("/list?q=r-0-x").text
    assert orders(page) == []
    assert "A part of a text was searched for back to" in page

    for _ in range(2):
        found = re.search(r'href="/staff/payments(/list\?[^"]+)">Look further back', page)
        assert found is not None
        page = desk.get(found[1].replace("&amp;", "&")).text

    assert orders(page) == ["order-0-x"]


def test_what_is_shown_and_paid_is_added_up(desk: Desk) -> None:
    desk.shop.add_payment("S3", "A3")
    assert "1 payment on this page." in words(desk.get("/list").text)
    pay(desk.shop, "A1", "S1")
    pay(desk.shop, "A2", "S2", price="1")

    text = words(desk.get("/list").text)

    assert "Totals of the 3 payments on this page – paid: 1, together 1,000 AMD." in text
    assert "Other pages" not in text


def test_a_page_among_several_says_that_the_others_are_not_added_up(desk: Desk) -> None:
    for number in range(51):
        pay(desk.shop, f"A{number}", f"S{number}")

    first = desk.get("/list").text
    older = re.search(r'href="/staff/payments(/list\?[^"]+)">Older payments', first)
    assert older is not None

    for page, total in (
        (first, "Totals of the 50 payments on this page – paid: 50, together 50,000 AMD."),
        (desk.get(older[1]).text, "Total of the 1 payment on this page – paid: 1, together"),
    ):
        assert total in words(page)
        assert "Other pages are not counted here. The export adds up a whole period." in words(page)


def test_a_payment_shows_what_was_asked_for_beside_what_was_reported(desk: Desk) -> None:
    desk.shop.add_payment()
    desk.shop.deliver(report(price="7.5", orderId="Z9"))

    text = words(desk.get("/1").text)

    assert "Amount 1,000 AMD 7.50 AMD differs" in text
    assert "Order A1 Z9 differs" in text
    assert "Paid on 22 November 2026, 12:00 UTC" in text
    assert "Spayon named another order than the one that was asked for." in text


def test_the_story_of_a_payment_is_told_in_sentences(desk: Desk) -> None:
    desk.shop.add_payment()
    desk.shop.deliver(report(status="failed"))
    desk.shop.clock.step(60)
    desk.shop.deliver(report(status="expired"))
    desk.shop.clock.step(60)
    desk.shop.deliver(report(price="7"))
    desk.post("/1/decide", decision="refuse", reason="given back, ticket 7")

    text = words(desk.get("/1").text)

    told = [
        "The buyer began to pay. Asked for: 1,000 AMD.",
        "Report 1 of 3, by callback: Spayon says “failed”. This decided the payment.",
        "Report 2 of 3, by callback: Spayon says “expired”. This came too late",
        "Report 3 of 3, by callback: Spayon says “paid”. The payment was held back: another",
        "Ani refused the payment: “given back, ticket 7”.",
    ]
    places = [text.index(sentence) for sentence in told]
    assert places == sorted(places)


def test_the_exact_bytes_are_folded_away_until_they_are_removed(desk: Desk) -> None:
    desk.shop.add_pending()
    desk.shop.deliver(report())
    desk.shop.deliver(report("S9"))
    folded = r"<details>\s*<summary>The exact report</summary>\s*<pre[^>]*>{&#34;s"
    assert re.search(folded, desk.get("/1").text)

    desk.post("/unknown/2", reason="x")
    desk.shop.clock.step(91 * 86400)
    prune = ["spayon", "prune", "--bodies", "90d"]
    assert "of 2 reports" in desk.shop.app.test_cli_runner().invoke(args=prune).output

    for path in ("/1", "/unknown/2"):
        assert "<pre" not in desk.get(path).text

    assert "Spayon says “paid”. This decided the payment." in words(desk.get("/1").text)


def test_payments_of_another_gateway_are_apart_and_can_be_asked_for(any_desk: Desk) -> None:
    pay(any_desk.shop, "A1", "S1")
    now = any_desk.shop.clock()
    any_desk.shop.add_payment(
        "S2",
        "A2",
        gateway="api.spayon.io",
        status="paid",
        paid_at=now,
        reported_price=Decimal(5),
        reported_currency="AMD",
    )

    for path in ("", "/list", "/export?from=2026-11-01&to=2026-11-30"):
        page = words(any_desk.get(path).text)
        assert "made with another gateway are not shown: api.spayon.io." in page, path
        assert "1,000 AMD" in page
        assert "A2" not in page

    assert orders(any_desk.get("/list").text) == ["A1"]
    assert orders(any_desk.get("/list?gateway=api.spayon.io").text) == ["A2"]
    there = "/export?from=2026-11-01&to=2026-11-30&gateway=api.spayon.io"
    assert "Together, AMD 1 5 AMD – 5 AMD" in words(any_desk.get(there).text)
    assert "api.spayon.io" in words(any_desk.get("/2").text)
    assert "Ask Spayon now" not in any_desk.get("/2").text


@pytest.mark.parametrize(
    "text",
    [
        "k7QzWx",
        "K7QZWX",
        "https://shop.test/pay/checkout/k7QzWx",
        "https://shop.test/pay/return?session_id=S1",
        "Ա-17",
        "ա-17",
    ],
)
def test_a_payment_is_found_by_a_customer_s_link_and_in_any_case_of_letters(
    any_desk: Desk, text: str
) -> None:
    any_desk.shop.add_payment("S0", "other")
    any_desk.shop.add_payment("S1", "Ա-17", order_key="k7QzWx")

    assert orders(any_desk.get("/list", query_string={"q": text}).text) == ["Ա-17"]


def test_a_handler_that_fails_is_told_of(desk: Desk) -> None:
    failed = {"handler_failures": 3, "handler_error": "KeyError in shop.py, line 7"}
    number = desk.shop.add_payment("S1", "A1", handler_failed_at=desk.shop.clock(), **failed)

    said = "The shop’s program has failed for 1 payment: KeyError in shop.py, line 7."
    assert said in words(desk.get().text)
    page = words(desk.get(f"/{number}").text)
    assert "The shop’s program has failed 3 times for this payment." in page
    assert "KeyError in shop.py, line 7" in page


def test_the_menu_counts_what_is_under_review_and_the_page_tells_when_it_was_made(
    desk: Desk,
) -> None:
    assert "spayon-count" not in desk.get("/list").text
    pay(desk.shop, "A1", "S1", price="7")

    page = desk.get("/export").text

    assert re.search(r'Under review <span class="spayon-count">1</span>', page)
    assert "This page was made on 22 November 2026, 12:00 UTC." in words(desk.get().text)


def test_other_attempts_to_pay_the_order_are_shown(desk: Desk) -> None:
    desk.shop.add_payment("S1", "A1", held_order_id=None, status="expired")
    desk.shop.add_payment("S2", "A1")
    desk.shop.add_payment("S3", "A3")

    page = desk.get("/2").text

    assert "Other payments of this order" in page
    assert 'href="/staff/payments/1"' in page
    assert 'href="/staff/payments/3"' not in page


def test_the_order_in_the_shop_is_linked_if_the_loader_tells(desk: Desk) -> None:
    desk.shop.add_payment()
    calls: list[str] = []

    @desk.shop.spayon.order_loader
    def load(key: str) -> Order | None:
        calls.append(key)

        if len(calls) > 1:
            abort(403)

        return Order(order_id=key, product_id=1, url="/orders/A1")

    link = '<a href="/orders/A1">The order in the shop</a>'
    told, refused = desk.get("/1"), desk.get("/1")

    assert link in told.text
    assert (refused.status_code, link in refused.text) == (200, False)


def test_no_page_shows_a_link_to_pay(desk: Desk) -> None:
    desk.shop.add_payment()

    for path in ("", "/list", "/1", "/export"):
        assert "/pay/S1" not in desk.get(path).text


def test_the_payments_of_another_account_are_never_shown() -> None:
    shop = make_shop()
    other = Spayon(shop.db, name="museum", clock=shop.clock)
    other.init_app(shop.app)
    desk = Desk(shop)
    shop.add_payment("S1", "secret-order", account="museum")
    shop.add_payment("S2", "secret-paid", account="museum", status="paid", paid_at=shop.clock())
    shop.add_payment(
        "S3", "secret-review", account="museum", status="review", review="price_differs"
    )

    with shop.app.app_context():
        row: Any = shop.spayon.Callback()
        row.account, row.session_id, row.status, row.source = "museum", "S9", "paid", "callback"
        row.verdict, row.body, row.received_at = "unknown", b"{}", shop.clock()
        shop.db.session.add(row)
        shop.db.session.commit()

    for path in ("", "/list", "/list?q=secret", "/list?q=S1", "/reviews", "/unknown", "/export"):
        page = desk.get(path).text
        assert "secret" not in page.replace('value="secret"', "")
        assert "S9" not in page

    for path in ("/1", "/2", "/3", "/unknown/1", "/3/decide?decision=accept", "/2/refund"):
        assert desk.get(path).status_code == 404

    for path in ("/1/ask", "/3/decide", "/2/refund", "/unknown/1"):
        assert desk.post(path, decision="accept", reason="x").status_code == 404

    desk.post("/reports/1/hand-over")
    assert "secret" not in desk.get("/export.csv?from=2026-11-01&to=2026-11-30").text
    assert shop.payment("S3").status == "review"
    assert shop.payment("S2").refunded_at is None
    dispose(shop)


@pytest.mark.parametrize("language", ["en", "ru", "hy"])
def test_no_text_becomes_markup(language: str) -> None:
    desk = Desk(make_shop(SPAYON_SHOP_NAME=HOSTILE))
    shop = desk.shop
    desk.person.name = HOSTILE
    values: dict[str, Any] = {
        "order_id": HOSTILE,
        "reference": HOSTILE,
        "product_name": HOSTILE,
        "reviewed_by": HOSTILE,
        "reviewed_because": HOSTILE,
        "reviewed_at": shop.clock(),
        "refunded_by": HOSTILE,
        "refunded_because": HOSTILE,
        "refunded_at": shop.clock(),
        "paid_at": shop.clock(),
        "decline_reasons": [{"responseCode": HOSTILE, "responseReasonEn": HOSTILE}],
    }
    shop.add_payment("S1" + HOSTILE, status="paid", **values)
    values |= {"reference": "r2", "held_order_id": None, "review": HOSTILE}
    shop.add_payment("S2" + HOSTILE, status="review", **values)
    hostile = report("S9" + HOSTILE, HOSTILE[:60], orderId=HOSTILE, productName=HOSTILE)
    assert shop.deliver(hostile) == 200
    desk.post("/unknown/1", reason=HOSTILE)

    paths = [
        *("", f"/list?q={HOSTILE}", "/1", "/2", "/reviews", "/unknown", "/unknown/1", "/export"),
        *("/2/decide?decision=refuse", "/1/refund", f"/list?from={HOSTILE}&status={HOSTILE}"),
    ]

    for path in paths:
        page = desk.get(path, headers={"Accept-Language": language}).text
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "49" not in words(page).replace("2049", "")
        assert not re.search(r"<[^>]+\sstyle=", page)
        assert "<script" not in page

    dispose(shop)


@pytest.mark.parametrize(
    "path",
    [
        *("/99", "/99999999999999999999", "/unknown/99", "/unknown/99999999999999999999"),
        *(
            "/9223372036854775807",
            "/unknown/9223372036854775807",
            "/reports/9223372036854775807/hand-over",
        ),
        *("/99/decide?decision=accept", "/99/refund", "/99/ask", "/reports/99/hand-over"),
        *("/style/../models.py", "/style/return.js"),
    ],
)
def test_what_is_not_there_is_a_404(any_desk: Desk, path: str) -> None:
    any_desk.shop.add_payment()

    assert any_desk.get(path).status_code == 404


@pytest.mark.parametrize("after", ["9999999999999999.1", "0.0", "1.999999999999999999", "-1.1"])
def test_a_made_up_place_in_a_list_is_no_error(any_desk: Desk, after: str) -> None:
    assert any_desk.get(f"/list?after={after}").status_code == 200
    assert any_desk.get(f"/reviews?after={after}").status_code == 200
    assert any_desk.get(f"/unknown?before={after}").status_code == 200
    assert any_desk.get("/unknown?before=99999999999999999999").status_code == 200


def test_today_tells_when_reconcile_last_finished(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "reconcile" not in desk.get().text

    beat = Beat(desk.shop.clock(), 0, "asked 0")
    monkeypatch.setattr(Heartbeat, "read", lambda _: beat)

    said = "“reconcile” last finished on this host on 22 November 2026, 12:00 UTC."
    assert said in words(desk.get().text)


def test_a_reason_of_the_shop_is_shown_as_it_is(desk: Desk) -> None:
    def doubt(status: str, _: object) -> None:
        if status == "paid":
            raise NeedsReview("Tea & <cups>")

    desk.shop.handle = doubt
    pay(desk.shop, "A1", "S1")

    page = desk.get("/1").text
    assert "The payment was held back: Tea &amp; &lt;cups&gt;." in page
    assert "The shop’s program held this payment back: “Tea &amp; &lt;cups&gt;”." in page

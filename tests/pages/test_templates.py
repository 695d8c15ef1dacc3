"""What the pages say in every state and language, and what they never say."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import render_template_string
from jinja2 import StrictUndefined

from spayon_flask.domain.languages import NAMES
from tests.kept import dispose
from tests.pages.shown import STATES, Show, make_app, shown_by
from tests.shop import make_shop

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}"


def in_every_state(show: Show, **query: str) -> Iterator[tuple[str, str, str]]:
    """Show every page in every state; yield the page, the state and the HTML."""
    for page, state in STATES:
        yield page, state, show(page, state, **query)


def words_of(html: str) -> str:
    """Give the text of *html* in one line, without the head."""
    text = re.sub(r"<(?:/span|/a|/time)>", "", html[html.index("<main") :])
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def test_a_page_is_a_document_in_one_language_with_one_heading_and_a_title(show: Show) -> None:
    for language in NAMES:
        for page, state, html in in_every_state(show, language=language):
            assert html.startswith("<!doctype html>\n"), (page, state)
            assert f'<html lang="{language}">' in html, (page, state)
            assert len(re.findall("<h1", html)) == 1, (page, state)
            assert re.search(r"<title>\S[^<]+ · Tsaghik Jewellery</title>", html), (page, state)


def test_a_page_has_no_inline_script_or_style(show: Show) -> None:
    for page, state, html in in_every_state(show):
        assert "<style" not in html, (page, state)
        assert not re.search(r"<[^>]+\s(style|on\w+)=", html), (page, state)
        assert not re.search(r"<script(?![^>]*\bsrc=)", html), (page, state)
        assert "javascript:" not in html, (page, state)


def test_no_text_becomes_markup(show: Show) -> None:
    for language in NAMES:
        for page, state, html in in_every_state(show, language=language, title=HOSTILE):
            assert "<script>alert" not in html, (page, state)
            assert "<img" not in html, (page, state)
            assert "49" not in words_of(html), (page, state)


@pytest.mark.parametrize("state", ["pending", "slow", "review"])
def test_an_undecided_payment_is_never_called_failed(show: Show, state: str) -> None:
    words = words_of(show("return", state)).lower()

    assert "fail" not in words
    assert "not go through" not in words
    assert "try again" not in words
    assert "charged" not in words


#: What nobody may say unless Spayon has just said it.
CLAIMS = ("nothing was charged", "did not go through", "have not paid yet")


def test_only_a_page_that_is_sure_says_that_no_money_was_taken(show: Show) -> None:
    sure = {
        "return": {"failed", "failed-closed", "expired"},
        "cancel": {"payable", "changed", "failed", "expired"},
    }

    for page, state, html in in_every_state(show):
        said = any(claim in words_of(html).lower() for claim in CLAIMS)
        assert said == (state in sure.get(page, set())), (page, state)


@pytest.mark.parametrize("state", ["second", "refused", "elsewhere", "review"])
@pytest.mark.parametrize("page", ["return", "cancel"])
def test_nobody_is_asked_to_pay_again_where_there_is_money(
    show: Show, page: str, state: str
) -> None:
    html = show(page, state)

    assert "Try again" not in html
    assert "Continue to payment" not in html


def test_a_refused_payment_names_the_order_and_whom_to_ask(show: Show) -> None:
    words = words_of(show("return", "refused"))

    assert "Tsaghik Jewellery has closed this payment" in words
    assert "If money was taken, ask Tsaghik Jewellery about it and quote order A-1042." in words
    assert "Questions? Ask +374 10 12-34-56 and quote order A-1042." in words


@pytest.mark.parametrize(
    ("support", "link"),
    [("help@shop.am", "mailto:help@shop.am"), ("https://shop.am/help", "https://shop.am/help")],
)
def test_support_is_a_link_if_it_can_be_one(support: str, link: str) -> None:
    other = make_shop(SPAYON_SUPPORT=support)
    other.add_payment(status="failed")
    html = other.app.test_client().get("/pay/return?session_id=S1").text
    dispose(other)

    assert f'Questions? Ask <a href="{link}">{support}</a> and quote order <span>A1</span>.' in html


def test_the_failed_page_says_the_reason_first(show: Show) -> None:
    words = words_of(show("return", "failed"))

    assert words.index("CVV is not right") < words.index("Nothing was charged")
    assert "same card" not in words


def test_details_can_be_corrected_while_the_payment_page_is_open(show: Show) -> None:
    html = show("checkout", "resume")

    assert "<summary>Correct your details</summary>" in html
    assert '<details class="spayon-fold">' in html
    assert '<details class="spayon-fold" open>' in show("checkout", "resume-wrong")


@pytest.mark.parametrize(("language", "marked"), [("en", 0), ("ru", 1), ("hy", 1)])
def test_the_gateways_own_words_are_marked_as_english(
    show: Show, language: str, marked: int
) -> None:
    html = show("return", "failed", language=language)

    assert html.count('<span lang="en">Velocity check 7</span></li>') == marked
    assert html.count('lang="en"') == marked + (language == "en")


def test_only_a_pending_page_asks_again_by_its_script_and_without_one(show: Show) -> None:
    refresh = '<noscript><meta http-equiv="refresh" content="10; url=/pay/show/return/'

    for page, state in STATES:
        if page == "return":
            html = show(page, state)
            is_pending = state.startswith(("pending", "slow"))
            assert ("Check again" in words_of(html)) == is_pending, state
            assert ('src="/pay/static/spayon/return.js"' in html) == is_pending, state
            assert (refresh + state in html) == is_pending, state


def test_a_wrong_field_keeps_its_value_and_says_what_is_wrong(show: Show) -> None:
    html = show("checkout", "wrong")

    assert 'value="ani@"' in html
    assert 'aria-invalid="true" aria-describedby="spayon-email-error"' in html
    assert '<p class="spayon-error" id="spayon-email-error">Please write an email' in html


def test_a_wrong_form_says_so_in_its_title_and_leads_to_each_field(show: Show) -> None:
    html = show("checkout", "wrong")

    assert "<title>Error: Payment · Tsaghik Jewellery</title>" in html
    assert '<a href="#spayon-email">Email: Please write an email address' in html
    assert "Error" not in show("checkout", "payable")


def test_a_wrong_form_has_no_colon_in_armenian_where_it_would_end_the_sentence(show: Show) -> None:
    html = show("checkout", "wrong", language="hy")

    assert "<title>Սխալ՝ " in html
    assert re.search(r'<a href="#spayon-email">[^:<]+՝ [^:<]+</a>', html)


def test_a_page_is_whole_where_jinja_is_strict(tmp_path: Path) -> None:
    app = make_app(tmp_path)
    app.jinja_env.undefined = StrictUndefined

    for page, state, html in in_every_state(shown_by(app)):
        assert "</html>" in html, (page, state)


@pytest.mark.parametrize("state", ["paid", "review"])
def test_an_order_that_needs_no_payment_has_no_form(show: Show, state: str) -> None:
    assert "<form" not in show("checkout", state)


def test_a_page_of_the_simulator_says_that_no_money_moves(show: Show) -> None:
    assert "Test mode" in show("checkout", "payable")
    assert "Test mode" not in show("checkout", "wrong")


def test_a_shop_page_can_show_a_pay_button_and_a_state(tmp_path: Path) -> None:
    app = make_app(tmp_path)
    source = (
        '{% from "spayon/macros.html" import pay_button, payment_state %}'
        '{{ pay_button("A/1 & 2", language="ru") }}{{ payment_state("review", language="hy") }}'
    )

    with app.test_request_context():
        html = render_template_string(source)

    assert 'href="/pay/checkout/A/1%20&amp;%202">Оплатить</a>' in html
    assert '<span class="spayon-state spayon-state-review">Ստուգվում է</span>' in html

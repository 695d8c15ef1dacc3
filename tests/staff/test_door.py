"""The door of the desk: who comes in, who writes, and what all others see."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import abort, redirect
from flask_wtf import CSRFProtect  # type: ignore[import-untyped]  # it has no types

from spayon_flask import RegistrationError
from tests.reports import report
from tests.shop import make_shop
from tests.staff.conftest import Desk, csrf_token

PATHS = [
    *("", "/", "/list", "/1", "/1/ask", "/1/decide", "/1/refund", "/reviews", "/unknown"),
    *("/unknown/1", "/export", "/export.csv", "/style/desk.css", "/reports/1/hand-over"),
    # No redirect to a tidier address tells that something is there.
    *("//list", "/list/", "/list//"),
]

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]


def answer_of(desk: Desk, method: str, path: str) -> tuple[int, str, dict[str, str]]:
    answer = desk.client.open(f"/staff/payments{path}", method=method)
    return answer.status_code, answer.text, dict(answer.headers)


@pytest.mark.parametrize("with_csrf_protect", [False, True])
@pytest.mark.parametrize("path", PATHS)
def test_whoever_may_not_come_in_sees_what_an_unknown_address_shows(
    own_desk: Callable[..., Desk], path: str, with_csrf_protect: bool
) -> None:
    desk = own_desk()

    if with_csrf_protect:
        CSRFProtect(desk.shop.app)

    desk.shop.add_payment()
    desk.person.allowed = False

    for method in METHODS:
        assert answer_of(desk, method, path) == answer_of(desk, method, "-no-such-page")


@pytest.mark.parametrize("truth", ["yes", 1, ("Please log in", 401), [1], None, 0, ""])
def test_only_true_lets_somebody_in_and_what_is_merely_true_is_named_in_the_log(
    desk: Desk, truth: object, caplog: pytest.LogCaptureFixture
) -> None:
    desk.person.allowed = truth

    assert desk.get().status_code == 404
    named = f"allowed returned {type(truth).__name__}, which lets nobody in"
    assert (named in caplog.text) == bool(truth)


def test_the_shop_may_answer_itself(desk: Desk) -> None:
    desk.person.allowed = lambda: redirect("/login")
    assert desk.get("/list").headers["Location"] == "/login"

    desk.person.allowed = lambda: abort(403)
    assert desk.get("/list").status_code == 403


def test_the_shop_is_asked_on_every_request(desk: Desk) -> None:
    asked: list[int] = []

    def allowed() -> bool:
        asked.append(1)
        return True

    desk.person.allowed = allowed

    for path in ("", "/list", "/style/desk.css"):
        with desk.get(path) as answer:
            assert answer.status_code == 200

    assert len(asked) == 3


def test_without_may_settle_nobody_writes_and_nothing_is_offered() -> None:
    shop = make_shop()
    shop.app.register_blueprint(shop.spayon.staff(allowed=lambda: True), url_prefix="/staff")
    shop.add_pending()
    shop.deliver(report(price="1"))
    client = shop.app.test_client()

    page = client.get("/staff/1").text

    assert "<form" not in page
    assert "/decide" not in page
    assert client.post("/staff/1/ask").status_code == 403
    assert client.post("/staff/1/decide", data={"decision": "accept"}).status_code == 403
    assert shop.payment().status == "review"


@pytest.mark.parametrize("path", ["/1/ask", "/1/refund", "/unknown/1", "/reports/1/hand-over"])
@pytest.mark.parametrize("may_settle", [False, "yes", None])
def test_who_may_look_may_not_write(desk: Desk, path: str, may_settle: object) -> None:
    desk.shop.add_payment()
    token = desk.token()
    desk.person.may_settle = may_settle

    answer = desk.client.post(f"/staff/payments{path}", data={"csrf_token": token})

    assert answer.status_code == 403
    assert "but not decide" in answer.text


def test_the_shop_s_own_answer_to_who_may_not_write(desk: Desk) -> None:
    desk.shop.add_payment()
    desk.person.may_settle = lambda: redirect("/login")
    assert desk.client.post("/staff/payments/1/ask").headers["Location"] == "/login"

    desk.person.may_settle = lambda: abort(401)
    assert desk.client.post("/staff/payments/1/ask").status_code == 401
    assert desk.get("/1").status_code == 200


@pytest.mark.parametrize("name", [None, "", " ", 7, "a\x00b"])
def test_nobody_decides_without_a_name(desk: Desk, name: object) -> None:
    desk.shop.add_payment()
    desk.shop.deliver(report(price="1"))
    desk.person.name = name

    answer = desk.post("/1/decide", decision="refuse", reason="x")

    assert answer.status_code == 403
    assert "does not say who you are" in answer.text
    assert desk.shop.payment().status == "review"


WRITES = [
    ("/1/ask", {}),
    ("/1/decide", {"decision": "refuse", "reason": "x"}),
    ("/1/refund", {"reason": "x"}),
    ("/unknown/2", {"reason": "x"}),
    ("/reports/1/hand-over", {}),
]


def a_payment_under_review(desk: Desk) -> None:
    desk.shop.add_payment()
    desk.shop.deliver(report(price="1"))


def refuse(desk: Desk, token: str, **options: Any) -> int:
    """Refuse the first payment with a form that has this token; return the status code."""
    data = {"csrf_token": token, "decision": "refuse", "reason": "x"}
    return desk.client.post("/staff/payments/1/decide", data=data, **options).status_code


@pytest.mark.parametrize(("path", "data"), WRITES)
def test_a_form_without_our_token_is_refused(desk: Desk, path: str, data: dict[str, str]) -> None:
    a_payment_under_review(desk)
    desk.token()

    for token in ("", "x", "IjEi.Z.Z"):
        answer = desk.client.post(f"/staff/payments{path}", data=data | {"csrf_token": token})
        assert answer.status_code == 400
        assert "too old, or not from this page" in answer.text

    assert desk.shop.payment().status == "review"


def test_a_token_is_good_for_its_person_alone(desk: Desk) -> None:
    a_payment_under_review(desk)
    token = desk.token()
    desk.person.name = "Aram"
    assert refuse(desk, token) == 400

    desk.person.name = "Ani"
    assert refuse(desk, token) == 303


def test_a_token_that_a_former_secret_key_signed_is_good(own_desk: Callable[..., Desk]) -> None:
    desk = own_desk()
    a_payment_under_review(desk)
    token, config = desk.token(), desk.shop.app.config
    former, config["SECRET_KEY"] = config["SECRET_KEY"], "another"
    assert refuse(desk, token) == 400

    config["SECRET_KEY_FALLBACKS"] = [former]
    assert refuse(desk, token) == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_form_from_another_site_is_refused_whatever_its_token(
    desk: Desk, headers: dict[str, str]
) -> None:
    a_payment_under_review(desk)

    assert refuse(desk, desk.token(), headers=headers) == 400
    assert desk.shop.payment().status == "review"


def test_who_may_only_read_sees_no_form_by_address(desk: Desk) -> None:
    a_payment_under_review(desk)
    desk.shop.add_order("A2")
    desk.shop.add_payment("S2", "A2")
    desk.shop.deliver(report("S2", orderId="A2"))
    desk.shop.deliver(report("S9", orderId="A9"))
    desk.person.may_settle = False

    for path in ("/1/decide?decision=refuse", "/2/refund", "/1/ask", "/reports/1/hand-over"):
        assert desk.get(path).status_code == 303
        assert 'method="post"' not in desk.get(path, follow_redirects=True).text

    assert 'method="post"' not in desk.get("/unknown/3").text


def test_with_flask_wtf_its_token_is_used(own_desk: Callable[..., Desk]) -> None:
    desk = own_desk()
    CSRFProtect(desk.shop.app)
    a_payment_under_review(desk)
    page = desk.get("/1/decide?decision=refuse")

    assert "spayon_staff" not in page.headers.get("Set-Cookie", "")
    assert refuse(desk, "") == 400
    assert refuse(desk, csrf_token(page.text)) == 303
    assert desk.shop.payment().status == "failed"


@pytest.mark.parametrize(
    "options",
    [
        {"allowed": True},
        {"allowed": None},
        {"allowed": lambda who: True},
        {"allowed": lambda: True, "may_settle": lambda: True},
        {"allowed": lambda: True, "may_settle": True, "who": lambda: "Ani"},
        {"allowed": lambda: True, "who": "Ani"},
    ],
)
def test_what_cannot_work_is_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(RegistrationError):
        make_shop().spayon.staff(**options)


def test_an_async_function_is_refused_since_its_coroutine_is_true() -> None:
    async def allowed() -> bool:
        return False

    with pytest.raises(RegistrationError, match="async"):
        make_shop().spayon.staff(allowed=allowed)


def test_allowed_has_no_default() -> None:
    with pytest.raises(TypeError):
        make_shop().spayon.staff()  # type: ignore[call-arg]  # that is the point


@pytest.mark.parametrize("path", ["", "/list", "/1", "/reviews", "/unknown", "/export", "/99"])
def test_no_cache_keeps_a_page_no_robot_lists_it_and_no_frame_holds_it(
    desk: Desk, path: str
) -> None:
    desk.shop.add_payment()

    headers = desk.get(path).headers

    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Robots-Tag"] == "noindex"
    assert headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("path", ["/1/ask", "/1/refund", "/1/decide", "/reports/1/hand-over"])
def test_a_get_of_an_action_writes_nothing_and_leads_to_the_payment(desk: Desk, path: str) -> None:
    desk.shop.add_payment()
    desk.shop.deliver(report(status="failed"))

    assert desk.get(path).headers["Location"] == "/staff/payments/1"
    assert desk.get(path, follow_redirects=True).status_code == 200


@pytest.mark.parametrize("path", ["", "/list", "/export", "/reviews"])
def test_other_methods_are_refused(desk: Desk, path: str) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert desk.client.open(f"/staff/payments{path}", method=method).status_code == 405


def test_what_the_shop_wrote_before_our_view_is_kept(desk: Desk) -> None:
    shop = desk.shop
    a_payment_under_review(desk)

    def note_last_seen() -> bool:
        shop.db.session.add(shop.orders(id=f"seen-{len(seen)}", price="1", currency="AMD"))
        seen.append(1)
        return True

    seen: list[int] = []
    token = desk.token()
    desk.person.allowed = note_last_seen

    assert refuse(desk, token) == 303
    assert shop.paid_times("seen-0") == 0

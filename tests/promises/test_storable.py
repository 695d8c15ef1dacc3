"""Promise 6: whatever a report says that we accept can be kept, by every database and driver."""

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url
from sqlalchemy.exc import IntegrityError

from spayon_flask import InvalidPayloadError
from spayon_flask.domain.reports import MAX_STATUS_LENGTH, Report
from spayon_flask.views.callback import MAX_BODY
from tests.kept import dispose
from tests.reports import report
from tests.shop import Shop, make_shop

DRIVERS = {
    "sqlite": "sqlite",
    "postgresql+psycopg": "postgresql",
    "postgresql+psycopg2": "postgresql",
    "postgresql+pg8000": "postgresql",
    "mysql+pymysql": "mariadb",
    "mysql+mysqlconnector": "mariadb",
}

#: Armenian, of two bytes each in UTF-8; of three; of four.
ALPHABETS = {"Armenian": "ա", "three bytes": "€", "four bytes": "😀", "quotes": '"', "ASCII": "a"}

_numbers = count()


@pytest.fixture(scope="module", params=DRIVERS)
def driven(request: pytest.FixtureRequest, databases: Any) -> Iterator[Shop]:
    """A shop on each driver of each database."""
    url = make_url(databases.empty(DRIVERS[request.param])).set(drivername=request.param)
    shop = make_shop(url.render_as_string(hide_password=False))
    yield shop
    dispose(shop)


#: Letters that each alphabet of the world, or an attacker, may bring.
letters = st.one_of(
    st.characters(), st.sampled_from("աԱֆ€😀𐍈\u200b\u202e'\"\\%:;?"), st.characters(codec="ascii")
)


def texts(longest: int) -> st.SearchStrategy[str]:
    """Return short texts, and such that are as long as may be."""
    full = st.builds(lambda letter: letter * longest, letters)
    return st.one_of(st.text(letters, max_size=40), full)


declines = st.lists(
    st.one_of(
        st.dictionaries(
            st.sampled_from(["transactionId", "responseCode", "responseReasonEn", "other"]),
            st.one_of(texts(600), st.integers(), st.none(), st.booleans()),
        ),
        st.integers(),
    ),
    max_size=25,
)

reports = st.fixed_dictionaries(
    {
        "sessionId": texts(255),
        "status": st.one_of(
            st.sampled_from(["paid", "failed", "expired", "pending"]), texts(MAX_STATUS_LENGTH)
        ),
    },
    optional={
        "orderId": st.one_of(texts(400), st.integers(), st.none(), st.just("this")),
        "price": st.one_of(texts(60), st.integers(), st.floats(allow_nan=False), st.just("1000")),
        "currency": st.one_of(texts(5), st.just("AMD")),
        "updatedAt": st.one_of(
            texts(30),
            st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
            st.sampled_from(["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999-23:59"]),
        ),
        "declineReasons": st.one_of(declines, texts(20)),
    },
)


def _keep(shop: Shop, said: dict[str, Any], kind: str) -> None:
    """Deliver what *said*, of a payment of this *kind*; then look at it as payer and operator."""
    number = next(_numbers)
    order_id = f"order-{number}"
    session_id = f"{number}{said['sessionId']}"[:255].strip()
    said = said | {"sessionId": session_id}

    if said.get("orderId") == "this":
        said["orderId"] = order_id

    body = json.dumps(said).encode()

    try:
        accepted = Report.from_json(body)

    except InvalidPayloadError:
        assert shop.deliver(body) in (400, 413)
        return

    if len(body) > MAX_BODY:
        assert shop.deliver(body) == 413
        return

    shop.add_order(order_id)

    if kind != "unknown":
        shop.add_payment(
            session_id if kind == "known" else None, order_id, reference=f"reference-{number}"
        )

    assert shop.deliver(body) == 200
    assert shop.deliver(body) == 200
    _look(shop, accepted, order_id, known=kind == "known")


def _look(shop: Shop, accepted: Report, order_id: str, *, known: bool) -> None:
    with shop.app.app_context():
        queries = shop.spayon.state.storage.queries
        rows = queries.callbacks(accepted.session_id)
        kept = [(row.status, bytes(row.body)) for row in rows]
        assert kept == [(accepted.status, bytes(accepted.body))]
        payment = queries.find(session_id=accepted.session_id)
        assert (payment is not None) or not known

        if payment is not None and payment.status in ("failed", "expired"):
            assert payment.decline_reasons == (list(accepted.decline_reasons) or None)

    client = shop.app.test_client()
    page = client.get("/pay/return", query_string={"session_id": accepted.session_id})
    assert page.status_code in ((200,) if known else (200, 404))
    assert client.get(f"/pay/checkout/{order_id}").status_code in (200, 303)

    if known:
        show = shop.app.test_cli_runner().invoke(args=["spayon", "show", accepted.session_id])
        assert show.exit_code == 0, show.output


@given(said=reports, kind=st.sampled_from(["known", "known", "unanswered", "unknown"]))
def test_a_report_that_is_accepted_is_kept_and_shown(
    driven: Shop, said: dict[str, Any], kind: str
) -> None:
    _keep(driven, said, kind)


@pytest.mark.parametrize("kind", ["known", "unanswered", "unknown"])
@pytest.mark.parametrize("letter", ALPHABETS.values(), ids=ALPHABETS)
def test_the_widest_texts_are_kept_and_shown(driven: Shop, letter: str, kind: str) -> None:
    wide = {"sessionId": letter * 255, "status": letter * 64, "orderId": letter * 400}
    _keep(driven, wide, kind)
    _keep(driven, wide | {"status": "failed"}, kind)


@pytest.mark.parametrize("kind", ["known", "unanswered"])
@pytest.mark.parametrize("letter", ALPHABETS.values(), ids=ALPHABETS)
def test_decline_reasons_are_kept_up_to_the_longest_body(
    driven: Shop, letter: str, kind: str
) -> None:
    session_id = f"S{next(_numbers)}"
    order_id = f"order-{session_id}"
    # As many letters as a callback can have at all, in three texts of each entry.
    bare = len(_declined(session_id, order_id, "", 20))
    each = len(_declined(session_id, order_id, letter, 20)) - bare
    body = _declined(session_id, order_id, letter * ((MAX_BODY - bare) // each), 20)
    assert MAX_BODY - each < len(body) <= MAX_BODY
    driven.add_order(order_id)
    driven.add_payment(session_id if kind == "known" else None, order_id)

    assert driven.deliver(body) == 200
    _look(driven, Report.from_json(body), order_id, known=True)


@pytest.mark.parametrize("letter", ALPHABETS.values(), ids=ALPHABETS)
def test_decline_reasons_of_a_status_check_are_kept_though_it_may_be_longer(
    driven: Shop, letter: str
) -> None:
    order_id = f"order-{next(_numbers)}"
    driven.add_order(order_id)
    driven.add_payment(f"S-{order_id}", order_id)
    said = Report.from_json(_declined(f"S-{order_id}", order_id, letter * 3000, 30))

    with driven.app.app_context():
        driven.spayon.state.storage.recorder.record(said, source="status_check", now=driven.clock())

    _look(driven, said, order_id, known=True)


@pytest.mark.parametrize("order_id", ["A\0", "\ud800", "A1 ", " ", "", "x" * 60000, "a1"])
def test_an_order_id_that_no_order_has_belongs_to_no_payment(driven: Shop, order_id: str) -> None:
    session_id = f"S{next(_numbers)}"

    # With a payment that waits for whatever may be its own, from the first of these on.
    with suppress(IntegrityError):
        driven.add_pending(None)

    assert driven.deliver(report(session_id, orderId=order_id)) == 200

    with driven.app.app_context():
        rows = driven.spayon.state.storage.queries.callbacks(session_id)
        assert [row.verdict for row in rows] == ["unknown"]


def _declined(session_id: str, order_id: str, reason: str, entries: int) -> bytes:
    entry = dict.fromkeys(("transactionId", "responseCode", "responseReasonEn"), reason)
    said = {
        "sessionId": session_id,
        "status": "failed",
        "orderId": order_id,
        "declineReasons": [entry] * entries,
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()

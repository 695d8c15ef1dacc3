"""The four pages with made-up contexts: every state of each, without a payment behind it."""

from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

from flask import Blueprint, Flask, render_template, request

from spayon_flask.domain.languages import Language, choose_language
from spayon_flask.views.checkout import Field
from spayon_flask.views.pages import named

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
HALF_PAST_TWO = datetime(2026, 11, 22, 14, 35, tzinfo=timezone.utc)

#: Every page with every state that it has, and with what else makes a page look another way.
_STATES = {
    "checkout": (
        *("payable", "wrong", "stale", "declined", "later", "lines", "refused", "resume"),
        *("resume-wrong", "paid", "review", "closed"),
    ),
    "return": (
        *("pending", "slow", "slower", "pending-unreached", "pending-unrecorded", "paid"),
        *("paid-lines", "failed", "failed-unsure", "failed-closed", "expired"),
        *("expired-unsure", "review", "second", "refused", "elsewhere", "begun"),
    ),
    "cancel": (
        *("payable", "payable-unsure", "payable-unreached", "pending", "pending-unreached"),
        *("pending-unrecorded", "changed", "changed-unsure", "closed", "paid", "failed"),
        *("failed-unsure", "expired", "review", "second", "refused", "elsewhere", "begun"),
    ),
    "error": (
        *("unknown_order", "unknown_payment", "gateway_unavailable", "gateway_unavailable-typed"),
        *("gateway_unexpected", "still_creating", "misconfigured", "unreadable"),
    ),
}
STATES = [(page, state) for page, states in _STATES.items() for state in states]

#: What the templates call those whose name says more than the state.
WORDS = {
    **dict.fromkeys(("wrong", "stale", "declined", "later", "lines"), "payable"),
    **dict.fromkeys(("slow", "slower"), "pending"),
}


def context_of(
    page: str, state: str, language: Language, title: str = "", price: str = "24900 AMD"
) -> dict[str, Any]:
    """Give a template what the views give it."""
    product = title or "Silver pomegranate pendant"
    number, currency = price.split()
    price = language.price(Decimal(number), currency)
    _ = language.gettext
    hint = _("It is passed on to Spayon.")
    reached = _("So that you can be reached about this payment. It is passed on to Spayon.")
    wrong = _("Please write an email address such as name@example.com.")
    error = wrong if "wrong" in state else None
    typed = title or "ani@"
    fields = [
        Field("email", _("Email"), reached, "email", "email", "email", typed, error),
        Field("full_name", _("Full name"), hint, "text", "name", "text", title),
    ]
    later = state == "later"
    order = SimpleNamespace(
        order_id=title or "A-1042", product_name=None if later else product, currency="AMD"
    )
    declines: list[dict[str, object]] = [
        {"responseCode": "14", "responseReasonEn": "Invalid card", "transactionId": 1},
        {"responseCode": "51", "responseReasonEn": title or "Velocity check 7"},
    ]

    word, _, more = state.partition("-")
    doubt = more if more in {"unsure", "unreached", "unrecorded"} else "sure"
    refused = page == "checkout" and word == "refused"
    paid = page != "checkout" and word == "paid"
    known = not state.startswith("unknown")
    line = {"name": product, "price": price}

    return {
        "language": language,
        "text": language.gettext,
        "shop_name": title or "Tsaghik Jewellery",
        "shop_url": "/",
        "simulated": state in {"payable", "slow"},
        "support": title or "+374 10 12-34-56",
        "support_url": None if title else "tel:+37410123456",
        "status_code": 404,
        "state": "payable" if refused else WORDS.get(word, word),
        "certainty": "unsure" if page == "checkout" else doubt,
        "slow": {"slow": 1, "slower": 2}.get(state, 0),
        "asks": True,
        "reason": word,
        "reload_after": {"unreadable": 30, "still_creating": 3}.get(state),
        "refused": refused,
        "looked_at": NOON,
        "stale": state == "stale",
        "guarded": False,
        "closed": title or "You have paid in cash." if "closed" in state else None,
        "tells_shop": True,
        "typed": {"email": title or "ani@example.am"} if more == "typed" else None,
        "order": order,
        "order_id": order.order_id if known else None,
        "order_url": "/orders/A-1042" if word in {"paid", "refused"} else None,
        "lines": [
            *(line | {"quantity": "2"}, line | {"quantity": "1"}),
        ]
        if "lines" in state
        else [],
        "payment": SimpleNamespace(
            order_id=order.order_id,
            reference="R-1",
            product_name=product,
            status=word,
            updated_at=NOON,
        ),
        "product_name": product,
        "price": None if later else price,
        "paid_at": NOON if paid else None,
        "fields": fields,
        "declines": []
        if page == "checkout" and state != "declined"
        else language.declines(declines),
        "expires_at": HALF_PAST_TWO,
        "over": page == "cancel" and state == "pending",
        "minutes_left": 12,
        # Nothing has been begun yet: there is no payment to see.
        "return_url": None
        if page == "checkout" and word not in {"resume", "paid", "review"}
        else "/pay/return?session_id=1",
        "resume_url": "/pay/checkout/A-1042",
        "retry_url": "/pay/checkout/A-1042" if known else None,
        "other_url": "/pay/return?session_id=2"
        if word in {"elsewhere", "second", "begun"}
        else None,
        "next_url": None,
        "check_url": f"{request.path}?since=1795348800",
    }


def pages() -> Blueprint:
    """Make a blueprint that shows any page in any state, as the real one would."""
    blueprint = Blueprint(
        "spayon",
        "spayon_flask",
        template_folder="templates",
        static_folder="static",
        static_url_path="/static/spayon",
    )
    blueprint.add_app_template_global(choose_language, "spayon_language_of")

    @blueprint.route("/show/<page>/<state>", methods=["GET", "POST"])
    def show(page: str, state: str) -> str:
        """Show the template of *page* as it is in *state*."""
        language = choose_language(request.args.get("language"))
        title = request.args.get("title", "")
        price = request.args.get("price", "24900 AMD")
        context = context_of(page, state, language, title, price)

        return render_template(f"spayon/{page}.html", **named(context))

    @blueprint.get("/checkout/<path:order_id>")
    def checkout(order_id: str) -> str:
        """Stand for the checkout page that the macros link to."""
        return order_id

    return blueprint


def make_app(folder: Path, **templates: str) -> Flask:
    """Make an app in *folder* around the pages, with *templates* of the shop's own."""
    for name, source in templates.items():
        path = folder / "templates" / "spayon" / f"{name}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")

    app = Flask("shop", root_path=str(folder))
    app.testing = True
    app.register_blueprint(pages(), url_prefix="/pay")

    return app


class Show(Protocol):
    """Show a page in a state and give its HTML."""

    def __call__(self, page: str, state: str, **query: str) -> str: ...


def shown_by(app: Flask) -> Show:
    """Give the function that shows the pages of *app*."""

    def show(page: str, state: str, **query: str) -> str:
        answer = app.test_client().get(f"/pay/show/{page}/{state}", query_string=query)
        assert answer.status_code == 200

        return answer.text

    return show

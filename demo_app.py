"""Run Maran, a small store that sells through spayon-flask: `python demo_app.py`.

Without credentials of Spayon in the environment it pays at the simulator, and starts it as well.
"""

import argparse
import json
import logging
import secrets
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import requests
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect  # type: ignore[import-untyped]  # it says nothing of its types
from sqlalchemy import JSON, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from werkzeug.exceptions import HTTPException
from werkzeug.serving import make_server

from spayon_flask import Order, Spayon
from spayon_flask.domain.languages import NAMES, Language, choose_language
from spayon_flask.simulator import Simulator
from spayon_flask.storage.column_types import Price, UtcDateTime

DATA = Path(__file__).parent / "templates" / "demo"
TEXTS = json.loads((DATA / "texts.json").read_text("utf-8"))
CATALOGUE = json.loads((DATA / "catalogue.json").read_text("utf-8"), parse_int=Decimal)
GOODS = {item["slug"]: item for item in CATALOGUE}
YEREVAN = timezone(timedelta(hours=4))
SIMULATOR = {
    "SPAYON_CLIENT_ID": "simulator-client",
    "SPAYON_CLIENT_SECRET": "simulator-secret",
    "SPAYON_CALLBACK_SECRET": "simulator-callback-secret",
}

logger = logging.getLogger("maran")


class Base(DeclarativeBase):
    """Collect the store's tables; those of spayon-flask join them."""


db = SQLAlchemy(model_class=Base)
csrf = CSRFProtect()
spayon = Spayon(db)
shop = Blueprint("shop", __name__)


class Stock(Base):
    """Count what is left of one product."""

    __tablename__ = "shop_stock"
    slug: Mapped[str] = mapped_column(primary_key=True)
    left: Mapped[int]


class ShopOrder(Base):
    """Keep what one visitor has ordered, and how the payment ended."""

    __tablename__ = "shop_order"
    id: Mapped[str] = mapped_column(primary_key=True)
    #: What the payment pages know the order by, and nobody can guess.
    code: Mapped[str] = mapped_column(unique=True, default=lambda: secrets.token_urlsafe(12))
    visitor: Mapped[str] = mapped_column(index=True)
    title: Mapped[str]
    quantities: Mapped[dict[str, int]] = mapped_column(JSON)
    total: Mapped[Decimal] = mapped_column(Price)
    state: Mapped[str] = mapped_column(default="new")
    placed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    paid_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@spayon.order_loader
def load_order(key: str) -> Order | None:
    """Tell what an order costs; somebody else's order is nobody's business."""
    order_id = db.session.scalar(select(ShopOrder.id).where(ShopOrder.code == key))

    if order_id is None or (order := own_order(order_id)) is None:
        return None

    code = visitor_language().code
    lines = [
        (GOODS[slug]["name"][code], n, GOODS[slug]["price"]) for slug, n in order.quantities.items()
    ]
    return Order(
        order_id=order.id,
        key=order.code,
        product_name=order.title,
        price=order.total,
        currency="AMD",
        language=code,
        url=url_for("shop.order", order_id=order.id),
        lines=lines,
    )


@spayon.on_paid
def fulfil(payment: Any) -> None:
    """Take the goods off the shelf, once: this commits together with the payment, or not at all."""
    order = db.session.get_one(ShopOrder, payment.order_id)
    order.state, order.paid_at = "paid", datetime.now(timezone.utc)

    for slug, n in order.quantities.items():
        db.session.execute(update(Stock).where(Stock.slug == slug).values(left=Stock.left - n))


@spayon.on_failed
@spayon.on_expired
@spayon.on_review
def take_note(payment: Any) -> None:
    """Note how the payment ended, unless another one has paid the order."""
    order = db.session.get_one(ShopOrder, payment.order_id)

    if order.state != "paid":
        order.state = payment.status


@spayon.dispatcher
def send_mail(callback_id: int) -> None:
    """Do the slow work: a real store puts *callback_id* on its queue, for a worker to send mail."""
    callback = db.session.get_one(spayon.Callback, callback_id)
    named = {"account": callback.account, "session_id": callback.session_id}
    payment = db.session.scalars(select(spayon.Payment).filter_by(**named)).one()
    logger.info("Order %s is %s: a mail goes out", payment.order_id, payment.status)


@spayon.language
def payer_language() -> str:
    """Let the payment pages speak the language that the visitor has chosen in the store."""
    return visitor_language().code


def visitor() -> str:
    """Name the browser that is asking: the orders it places are its own."""
    session.permanent = True

    return str(session.setdefault("visitor", secrets.token_urlsafe(16)))


def visitor_language() -> Language:
    """Speak the language that a link has asked for, else the browser's."""
    if (wanted := request.args.get("language")) in NAMES:
        session["language"] = wanted

    accepted = [code for code, quality in request.accept_languages if quality > 0]
    return choose_language(session.get("language"), *accepted).in_zone(YEREVAN)


def own_order(order_id: str) -> ShopOrder | None:
    """Find an order, unless it is somebody else's."""
    order = db.session.get(ShopOrder, order_id)

    if order and order.visitor != visitor():
        abort(403)

    return order


def own_orders() -> Sequence[ShopOrder]:
    """List the visitor's orders, the newest first."""
    mine = select(ShopOrder).where(ShopOrder.visitor == visitor())

    return db.session.scalars(mine.order_by(ShopOrder.placed_at.desc())).all()


def state_of(order: ShopOrder) -> str:
    """Say how an order stands: while a payment is under way, nobody knows yet how it ends."""
    payment = spayon.payment_of(order.id)

    if order.state != "paid" and payment is not None and payment.status == "pending":
        return "pending"

    return order.state


def stock() -> dict[str, int]:
    """Count what is left of everything."""
    return {shelf.slug: shelf.left for shelf in db.session.scalars(select(Stock))}


def fill_basket(quantities: dict[str, int]) -> dict[str, int]:
    """Have *quantities* in the visitor's basket, as far as the store has as many."""
    wanted, left = {**session.get("basket", {}), **quantities}, stock()
    held = {slug: min(wanted.get(slug, 0), left[slug]) for slug in GOODS}
    session["basket"] = {slug: n for slug, n in held.items() if n > 0}

    return dict(session["basket"])


def typed_quantities() -> dict[str, int]:
    """Read how many of each product the form asks for."""
    return {slug: request.form.get(slug, 0, int) for slug in request.form if slug in GOODS}


def price(quantities: dict[str, int]) -> Decimal:
    """Add up what *quantities* cost; delivery is free."""
    return sum((GOODS[slug]["price"] * n for slug, n in quantities.items()), Decimal(0))


@shop.app_context_processor
def frame() -> dict[str, Any]:
    """Give every page what the store's frame shows; a payment page brings its own `language`."""
    return {
        "language": visitor_language(),
        "texts": TEXTS,
        "names": NAMES,
        "goods": GOODS,
        "state_of": state_of,
        "simulated": is_simulated(),
    }


@shop.after_app_request
def protect(response: Response) -> Response:
    """Keep pages private, and have them load and send nothing but where we mean."""
    gateway = current_app.config.get("SPAYON_API_URL", "https:")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; "
        f"connect-src 'self'; form-action 'self' {gateway}; frame-ancestors 'none'",
    )

    if not (request.endpoint or "").endswith("static"):
        response.headers.setdefault("Cache-Control", "no-store")

    return response


@shop.app_errorhandler(HTTPException)
def sorry(error: HTTPException) -> ResponseReturnValue:
    """Say in the store's own words that something is wrong."""
    return render_template("demo/message.html", code=error.code), error.code or 500


@shop.get("/")
def catalogue() -> str:
    """Show everything there is, and say what to try."""
    return render_template("demo/catalogue.html", stock=stock())


@shop.get("/goods/<slug>")
def product(slug: str) -> str:
    """Show one product."""
    if slug not in GOODS:
        abort(404)

    return render_template("demo/product.html", item=GOODS[slug], left=stock()[slug])


@shop.get("/basket")
def basket() -> str:
    """Show what is in the basket."""
    quantities = fill_basket({})
    total = price(quantities)

    return render_template("demo/basket.html", quantities=quantities, total=total, stock=stock())


@shop.post("/basket")
def change_basket() -> ResponseReturnValue:
    """Put more of one product into the basket, or have so many of each."""
    form = request.form
    quantities = typed_quantities()

    if slug := form.get("add"):
        quantities[slug] = session.get("basket", {}).get(slug, 0) + form.get("quantity", 1, int)

    fill_basket(quantities)
    return redirect(url_for(".basket"), 303)


@shop.post("/orders")
def place_order() -> ResponseReturnValue:
    """Make an order of the basket, as it was last typed, at the prices of the catalogue."""
    if not (quantities := fill_basket(typed_quantities())):
        return redirect(url_for(".basket"), 303)

    code = visitor_language().code
    first, *others = [GOODS[slug]["name"][code] for slug in quantities]
    order = ShopOrder(
        id=f"M-{secrets.token_hex(4).upper()}",
        visitor=visitor(),
        title=TEXTS[code]["and_more"].format(name=first, n=len(others)) if others else first,
        quantities=quantities,
        total=price(quantities),
        placed_at=datetime.now(timezone.utc),
    )
    db.session.add(order)
    db.session.commit()
    del session["basket"]

    return redirect(url_for(".order", order_id=order.id), 303)


@shop.get("/orders")
def orders() -> str:
    """List the visitor's orders."""
    return render_template("demo/orders.html", orders=own_orders())


@shop.get("/orders/<order_id>")
def order(order_id: str) -> str:
    """Show one order, and offer to pay it."""
    return render_template("demo/order.html", order=own_order(order_id) or abort(404))


@shop.get("/behind-the-scenes")
def behind() -> str:
    """Show the payments of the visitor's orders, and what Spayon said about them."""
    mine = spayon.Payment.order_id.in_([order.id for order in own_orders()])
    payments = db.session.scalars(
        select(spayon.Payment).where(mine).order_by(spayon.Payment.created_at.desc())
    ).all()
    theirs = spayon.Callback.session_id.in_([payment.session_id for payment in payments])
    callbacks = db.session.scalars(
        select(spayon.Callback).where(theirs).order_by(spayon.Callback.id)
    ).all()

    return render_template("demo/behind.html", payments=payments, callbacks=callbacks)


def create_app(instance_path: str | None = None, **config: Any) -> Flask:
    """Make the store, with its database and its secret key in the instance folder."""
    app = Flask(__name__, instance_path=instance_path, static_folder=DATA / "static")
    app.config.update(
        SQLALCHEMY_DATABASE_URI="sqlite:///demo.db",
        SPAYON_SHOP_NAME={code: texts["brand"] for code, texts in TEXTS.items()},
        SPAYON_SUPPORT="hello@maran.example",
        SPAYON_TIMEZONE="Asia/Yerevan",
    )
    app.config.update(SESSION_COOKIE_NAME="maran", SESSION_COOKIE_SAMESITE="Lax")
    app.config.update(SECRET_KEY=secret_key(Path(app.instance_path)), WTF_CSRF_TIME_LIMIT=None)
    app.config.update(SIMULATOR_PORT=5001)
    app.config.from_prefixed_env()
    app.config.update(config)

    if "SPAYON_CLIENT_ID" not in app.config:
        app.config.update(SIMULATOR, SPAYON_API_URL=simulator_url(app.config["SIMULATOR_PORT"]))

    for extension in (csrf, db, spayon):
        extension.init_app(app)

    app.register_blueprint(shop)
    app.register_blueprint(spayon.blueprint, url_prefix="/pay")
    # Anybody may come in and decide, as long as no real money moves: a real shop asks its login.
    desk = spayon.staff(allowed=is_simulated, may_settle=is_simulated, who=lambda: "Demo")
    app.register_blueprint(desk, url_prefix="/staff")

    with app.app_context():
        db.create_all()
        new = GOODS.keys() - stock().keys()
        db.session.add_all(Stock(slug=slug, left=int(GOODS[slug]["stock"])) for slug in new)
        db.session.commit()

    return app


def is_simulated() -> bool:
    """Return True if payments go to the simulator, and not to Spayon."""
    return spayon.settings.simulated


def secret_key(folder: Path) -> bytes:
    """Read the key that signs the visitors' cookies; the first start draws it."""
    path = folder / "secret_key"

    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
        path.write_bytes(secrets.token_bytes(32))

    return path.read_bytes()


@cache
def simulator_url(port: int) -> str:
    """Start the simulator, which ends with this process, unless one runs on *port* already."""
    with suppress(OSError):
        return Simulator(port=port).start().url

    url = f"http://127.0.0.1:{port}"
    return url if is_simulator(url) else Simulator().start().url


def is_simulator(url: str) -> bool:
    """Return True if a simulator answers at *url*."""
    known = {"client_id": "simulator-client", "client_secret": "simulator-secret"}
    try:
        return requests.post(f"{url}/api/tokens", json=known, timeout=3).ok
    except requests.RequestException:
        return False


def listen(port: int) -> socket.socket:
    """Listen on *port*, or on a free one if it is taken."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        print(f"Port {port} is taken, so the store opens on another one.")
        return socket.create_server(("127.0.0.1", 0))


def main() -> None:
    """Keep the store open until Ctrl-C."""
    parser = argparse.ArgumentParser(description="Open Maran, the demo store of spayon-flask.")
    parser.add_argument("--port", type=int, default=5000, help="where it listens (5000)")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    with suppress(KeyboardInterrupt), listen(arguments.port) as listening:
        host, port = listening.getsockname()
        app = create_app()
        server = make_server(host, port, app, threaded=True, fd=listening.fileno())
        print(f"The store:         http://{host}:{port}/")
        print(f"Behind the scenes: http://{host}:{port}/behind-the-scenes")
        print(f"Payments go to:    {app.config.get('SPAYON_API_URL', 'Spayon')}")
        print("Ctrl-C ends it.", flush=True)
        server.serve_forever()

    print("\nThe store is closed.")


if __name__ == "__main__":
    main()

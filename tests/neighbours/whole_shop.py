"""A whole shop: tea in three languages, with everything around it that a Flask shop usually has.

It is written as a customer would write it, by the pages of the documentation, and paid by
`test_whole_shop.py`. Its own tests are in `whole_shop_tests/`.
"""

import secrets
from decimal import Decimal
from functools import partial
from pathlib import Path

import sentry_sdk
from celery import Celery, Task, shared_task
from flask import Blueprint, Flask, abort, g, redirect, render_template_string, request, url_for
from flask_admin import Admin, AdminIndexView
from flask_admin.contrib.sqla import ModelView
from flask_admin.menu import MenuLink
from flask_babel import Babel
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect, FlaskForm
from opentelemetry import trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from sentry_sdk.scrubber import DEFAULT_DENYLIST, EventScrubber
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from werkzeug.security import check_password_hash
from wtforms import EmailField, PasswordField

from spayon_flask import Order, Spayon, signals


class Base(DeclarativeBase):
    pass


# -- Extensions
db = SQLAlchemy(model_class=Base)
spayon = Spayon(db)
migrate = Migrate()
babel = Babel()
csrf = CSRFProtect()
limiter = Limiter(get_remote_address)
logins = LoginManager()
logins.login_view = "pages.log_in"


# -- Models
class User(UserMixin, db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    password: Mapped[str]
    is_staff: Mapped[bool] = mapped_column(default=False)


class Product(db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    title_en: Mapped[str]
    title_ru: Mapped[str]
    title_hy: Mapped[str]
    price: Mapped[int]
    shelf: Mapped[str | None]


class ShopOrder(db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(unique=True, default=lambda: secrets.token_urlsafe(12))
    user_id: Mapped[int] = mapped_column(db.ForeignKey("user.id"))
    product_id: Mapped[int] = mapped_column(db.ForeignKey("product.id"))
    language: Mapped[str]
    total: Mapped[int]
    shelf: Mapped[str | None]
    state: Mapped[str] = mapped_column(default="open")
    user: Mapped[User] = relationship()
    product: Mapped[Product] = relationship()


class Parcel(db.Model):
    # By this key an order is shipped once, however often the task runs.
    order_id: Mapped[int] = mapped_column(db.ForeignKey("shop_order.id"), primary_key=True)
    callback_id: Mapped[int]


# -- Payments
@spayon.order_loader
def load_order(key):
    if not current_user.is_authenticated:
        abort(logins.unauthorized())

    row = db.session.scalar(db.select(ShopOrder).filter_by(code=key))

    if row is None or not (row.user == current_user or current_user.is_staff):
        return None

    return Order(
        order_id=str(row.id),
        key=row.code,
        product_name=getattr(row.product, f"title_{row.language}"),
        price=Decimal(row.total),
        currency="AMD",
        email=row.user.email,
        full_name=row.user.name,
        language=row.language,
        url=url_for("pages.order", order_id=row.id, lang_code=row.language),
    )


@spayon.on_paid
def fulfil(payment):
    order = db.session.get(ShopOrder, int(payment.order_id))
    order.state = "paid"
    # A product without a shelf is a mistake of the shop, for Sentry to tell of.
    order.shelf = order.product.shelf.upper()


@spayon.on_failed
@spayon.on_expired
def reopen(payment):
    db.session.get(ShopOrder, int(payment.order_id)).state = payment.status


@spayon.dispatcher
def enqueue(callback_id):
    ship.delay(callback_id)


@shared_task(ignore_result=True)
def ship(callback_id):
    callback = db.session.get(spayon.Callback, callback_id)
    query = db.select(spayon.Payment).filter_by(
        account=callback.account, session_id=callback.session_id
    )
    payment = db.session.scalars(query).one()

    if payment.status != "paid":
        return

    db.session.add(Parcel(order_id=int(payment.order_id), callback_id=callback_id))

    try:
        db.session.commit()

    except IntegrityError:  # shipped already
        db.session.rollback()


# -- Languages
LANGUAGES = "<any(en, ru, hy):lang_code>"


def pull_language(endpoint, values):
    g.lang_code = values.pop("lang_code", None) if values else None


def add_language(app, endpoint, values):
    if app.url_map.is_endpoint_expecting(endpoint, "lang_code"):
        values.setdefault("lang_code", g.get("lang_code") or "en")


def chosen_language():
    return g.get("lang_code") or request.accept_languages.best_match(["en", "ru", "hy"])


# -- Pages
STATES = {
    "en": {"open": "open", "paid": "paid", "failed": "failed", "expired": "expired"},
    "ru": {"open": "открыт", "paid": "оплачен", "failed": "отклонён", "expired": "истёк"},
    "hy": {"open": "բաց", "paid": "վճարված", "failed": "մերժված", "expired": "ժամկետանց"},
}

pages = Blueprint("pages", __name__, url_prefix=f"/{LANGUAGES}")


class LoginForm(FlaskForm):
    email = EmailField()
    password = PasswordField()


@logins.user_loader
def load_user(user_id):
    return db.session.get(User, int(user_id))


@pages.route("/login", methods=["GET", "POST"])
@limiter.limit("300 per minute")
def log_in():
    form = LoginForm()

    if form.validate_on_submit():
        user = db.session.scalars(db.select(User).filter_by(email=form.email.data)).first()

        if user and check_password_hash(user.password, form.password.data):
            login_user(user)
            return redirect(url_for("pages.catalogue"))

    return render_template_string(
        '<html lang="{{ g.lang_code }}"><form method="post">{{ form.hidden_tag() }}'
        "{{ form.email }} {{ form.password }}<button>OK</button></form></html>",
        form=form,
    )


@pages.get("/")
def catalogue():
    return render_template_string(
        '<html lang="{{ g.lang_code }}">{% for product in products %}'
        '<form method="post" action="{{ url_for(\'pages.buy\', product_id=product.id) }}">'
        '<input type="hidden" name="csrf_token" value="{{ csrf_token() }}">'
        "{{ product['title_' ~ g.lang_code] }} <button>+</button></form>"
        "{% endfor %}</html>",
        products=db.session.scalars(db.select(Product)),
    )


@pages.post("/buy/<int:product_id>")
@login_required
def buy(product_id):
    product = db.get_or_404(Product, product_id)
    order = ShopOrder(user=current_user, product=product, total=product.price, language=g.lang_code)
    db.session.add(order)
    db.session.commit()
    return redirect(url_for("spayon.checkout", order_id=order.code))


@pages.get("/orders/<int:order_id>")
@login_required
def order(order_id):
    row = db.get_or_404(ShopOrder, order_id)

    if row.user != current_user:
        abort(404)

    return f'<html lang="{g.lang_code}">{row.id}: {STATES[g.lang_code][row.state]}</html>'


# -- Staff
def is_staff():
    return current_user.is_authenticated and current_user.is_staff


class StaffIndex(AdminIndexView):
    def is_accessible(self):
        return is_staff()


class Products(ModelView):
    def is_accessible(self):
        return is_staff()


class Payments(ModelView):
    can_create = can_edit = can_delete = False
    form_columns = ()
    column_list = ("id", "order_id", "session_id", "status", "price", "currency", "paid_at")

    def is_accessible(self):
        return is_staff()


# -- Sentry
def report_errors(app):
    sentry_sdk.init(
        dsn=app.config.get("SENTRY_DSN"),
        max_request_body_size="never",  # what a payer has typed, and what Spayon has posted
        event_scrubber=EventScrubber(denylist=[*DEFAULT_DENYLIST, "x-signature"]),
    )


# -- Traces
@signals.report_received.connect
def mark_span(account, source, status, verdict, repeated):
    span = trace.get_current_span()
    span.set_attribute("spayon.source", source)
    span.set_attribute("spayon.verdict", verdict)


def trace_requests(app, path):
    provider = TracerProvider()
    file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115  as long as the process lives
    exporter = ConsoleSpanExporter(out=file, formatter=lambda span: span.to_json(None) + "\n")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    FlaskInstrumentor().instrument_app(app, tracer_provider=provider)
    RequestsInstrumentor().instrument(tracer_provider=provider)


# -- Celery
def make_celery(app):
    class FlaskTask(Task):
        def __call__(self, *args, **kwargs):
            with app.app_context():
                return self.run(*args, **kwargs)

    celery = Celery(app.name, task_cls=FlaskTask)
    # Without time-outs a Redis that accepts and does not answer stops the shop.
    celery.conf.broker_transport_options = {
        "socket_connect_timeout": 1,
        "socket_timeout": 2,
        "max_retries": 1,
    }
    celery.conf.task_publish_retry = False
    celery.config_from_object(app.config["CELERY"])
    celery.set_default()
    app.extensions["celery"] = celery


# -- Factory
def create_app(config=None):
    app = Flask(__name__)
    app.config["RATELIMIT_DEFAULT"] = "300 per minute"
    app.config["SPAYON_URL_VALUES"] = {"lang_code": "en"}
    app.config["SPAYON_SHOP_URL"] = "/{}/".format
    app.config["BABEL_DEFAULT_TIMEZONE"] = "Asia/Yerevan"
    app.config["CELERY"] = {}
    app.config.from_prefixed_env()
    app.config.update(config or {})

    report_errors(app)

    db.init_app(app)
    migrate.init_app(app, db)
    babel.init_app(app, locale_selector=chosen_language)
    csrf.init_app(app)
    limiter.init_app(app)
    logins.init_app(app)
    spayon.init_app(app)
    make_celery(app)

    app.url_value_preprocessor(pull_language)
    app.url_defaults(partial(add_language, app))
    app.register_blueprint(pages)
    app.register_blueprint(spayon.blueprint, url_prefix=f"/{LANGUAGES}/pay")
    app.register_blueprint(
        spayon.staff(allowed=is_staff, may_settle=is_staff, who=lambda: current_user.name),
        url_prefix="/staff/payments",
    )

    admin = Admin(app, index_view=StaffIndex())
    admin.add_view(Products(Product, db))
    admin.add_view(Payments(spayon.Payment, db, endpoint="payments"))
    admin.add_link(MenuLink("Payments desk", endpoint="spayon_staff.today"))

    @app.get("/")
    def home():
        return redirect(url_for("pages.catalogue", lang_code=chosen_language() or "en"))

    if "TRACES" in app.config:
        trace_requests(app, app.config["TRACES"])

    return app

"""Spayon: the object that a shop makes; it puts the parts together for each app."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from datetime import timezone
from typing import Any

from flask import Blueprint
from flask import Flask
from flask import current_app
from flask_sqlalchemy import SQLAlchemy

from .checkout import Checkout
from .cli import create_group
from .cli import for_command_line
from .cli import takes_no_payments
from .client import Client
from .errors import ConfigError
from .handlers import DetailsHandlerT
from .handlers import DispatcherT
from .handlers import Handlers
from .handlers import HandlerT
from .handlers import LanguageChooserT
from .handlers import OrderLoaderT
from .handlers import check_handler
from .models import CallbackMixin
from .models import PaymentMixin
from .models import make_models
from .orders import Order
from .reconcile import JOBS
from .reconcile import Heartbeat
from .reconcile import Reconciler
from .reconcile import Step
from .reconcile import Summary
from .rehearsals import Rehearsals
from .settings import Settings
from .state import AppState
from .state import check_app
from .storage import Storage
from .storage import forget_connections_after_fork
from .tokens import TokenService
from .urls import Urls
from .views import create_blueprint


logger = logging.getLogger(__name__)

#: What a decorator gets if it is written with parentheses.
_NOTHING: Any = None


def utc_now() -> datetime:
    """Return the present as aware UTC."""
    return datetime.now(timezone.utc)


class Spayon:
    """The payments of one vendor account, for any number of apps.

    *db* is the shop's `SQLAlchemy` object, *name* that of the account, *config_prefix* that of its
    settings. *payment_class* and *callback_class* are the shop's own model classes, made from
    `PaymentMixin` and `CallbackMixin`; ours by default. *clock* returns the present as aware UTC.
    """

    def __init__(
        self,
        db: SQLAlchemy,
        *,
        name: str = "spayon",
        config_prefix: str = "SPAYON_",
        payment_class: type[PaymentMixin] | None = None,
        callback_class: type[CallbackMixin] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        if not name.isidentifier():
            raise ConfigError(f"name must be an identifier such as 'spayon', not {name!r}")

        if (payment_class is None) != (callback_class is None):
            raise ConfigError("give both payment_class and callback_class, or neither")

        if payment_class is None or callback_class is None:
            payment_class, callback_class = make_models(db.Model)

        self.name = name
        self.config_prefix = config_prefix
        #: The shop's `SQLAlchemy` object.
        self.db = db
        #: The model class of payments, to query by.
        self.Payment: type[PaymentMixin] = payment_class
        #: The model class of what Spayon told us.
        self.Callback: type[CallbackMixin] = callback_class
        #: What the shop registered.
        self.handlers = Handlers()
        self._clock = clock
        #: The routes to mount.
        self.blueprint = create_blueprint(name, self._current_state)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def init_app(self, app: Flask) -> None:
        """Read and check the settings of *app*, and add the commands `flask spayon ...`.

        Raises `ConfigError`, which names the key, if a setting is missing or makes no sense.
        """
        states = app.extensions.setdefault("spayon", {})

        if self.name in states:
            raise ConfigError(
                f"this app has a Spayon object named {self.name!r} already: call init_app once, "
                "and give the object of a second vendor account another name and config_prefix"
            )

        try:
            states[self.name] = self._make_state(app)

        except ConfigError as error:
            if not takes_no_payments():
                raise for_command_line(error) from None

            # Such a command goes on; whatever has to do with payments raises the error.
            logger.warning("no payments: %s", error, extra={"account": self.name})
            states[self.name] = error

        forget_connections_after_fork(app, self.db)
        self.handlers.apps += 1
        app.cli.add_command(create_group(self.name, self._current_state))

    def _make_state(self, app: Flask) -> AppState:
        """Put together what *app* has of this account."""
        check_app(app, self.db.session)
        settings = Settings.from_config(app.config, self.config_prefix)

        if settings.api_url.startswith("http:") and not settings.simulated:
            logger.warning(
                "API_URL is plain HTTP, as Spayon's staging is: credentials travel unencrypted",
                extra={"account": self.name},
            )

        urls = Urls(self.blueprint, settings, self.config_prefix)
        client = Client(settings, self.name)
        storage = Storage(
            self.name,
            self.db,
            self.Payment,
            self.Callback,
            self.handlers,
            settings.status_interval,
        )
        heartbeat = Heartbeat(f"{app.instance_path}/{self.name}-reconcile.json")
        reconciler = Reconciler(client, storage, self._clock, app.app_context, heartbeat)
        return AppState(
            name=self.name,
            config_prefix=self.config_prefix,
            settings=settings,
            handlers=self.handlers,
            urls=urls,
            client=client,
            storage=storage,
            checkout=Checkout(
                self.name,
                client,
                storage,
                self.handlers,
                reconciler.refresh,
                urls.links,
                self._clock,
            ),
            reconciler=reconciler,
            heartbeat=heartbeat,
            rehearsals=Rehearsals(f"{app.instance_path}/spayon-rehearsal/{self.name}"),
            clock=self._clock,
        )

    # What a shop registers. Each decorator hands the function back as it was, and raises
    # `RegistrationError` for what is no plain function.

    def order_loader(self, function: OrderLoaderT = _NOTHING) -> OrderLoaderT:
        """Register *function*: it takes an order's key and returns an `Order`, or None for a 404.

        The key is a part of the URL of the checkout page: `order_id`, unless the order has a `key`.
        """
        check_handler("order_loader", function)
        self.handlers.order_loader = function
        return function

    def dispatcher(self, function: DispatcherT = _NOTHING) -> DispatcherT:
        """Register *function*: it takes the id of a callback row, after the commit."""
        check_handler("dispatcher", function)
        self.handlers.dispatcher = function
        return function

    def language(self, function: LanguageChooserT = _NOTHING) -> LanguageChooserT:
        """Register *function*: it takes nothing and returns the code of the payer's language.

        It is called in each request for a page. If it returns None, the language is chosen as if
        there were no such function.
        """
        check_handler("language", function, arguments=0)
        self.handlers.language = function
        return function

    def on_details(self, function: DetailsHandlerT = _NOTHING) -> DetailsHandlerT:
        """Register *function* for what a payer typed on the checkout page.

        It takes the payment and a mapping with `email`, `full_name` or both, in the transaction
        that writes the payment. We keep none of it.
        """
        return self.handlers.add_details(function)

    def on_paid(self, function: HandlerT = _NOTHING) -> HandlerT:
        """Register *function* for payments that become paid: once each, in the transaction."""
        return self.handlers.add("paid", function)

    def on_failed(self, function: HandlerT = _NOTHING) -> HandlerT:
        """Register *function* for payments that become failed."""
        return self.handlers.add("failed", function)

    def on_expired(self, function: HandlerT = _NOTHING) -> HandlerT:
        """Register *function* for payments that become expired."""
        return self.handlers.add("expired", function)

    def on_review(self, function: HandlerT = _NOTHING) -> HandlerT:
        """Register *function* for payments that a person has to look at."""
        return self.handlers.add("review", function)

    def staff(
        self,
        *,
        allowed: Callable[[], object],
        may_settle: Callable[[], object] | None = None,
        who: Callable[[], str] | None = None,
    ) -> Blueprint:
        """Return the desk: pages for the shop's people, to mount where they work.

        *allowed* is asked on every request: True lets the present person in, a response (a redirect
        to the login, say) is sent instead, and all else is a 404; it may also `abort`. *may_settle*
        is asked, in the same way, for everything that writes; without it nobody writes. *who*
        returns the person's name, which is kept with each decision. Raises `RegistrationError`.
        """
        # Imported here: a worker that takes callbacks need not have it.
        from .staff import create_staff  # noqa: PLC0415  on demand

        return create_staff(
            self.name, self._current_state, allowed=allowed, may_settle=may_settle, who=who
        )

    # What a shop does inside an app context.

    @property
    def state(self) -> AppState:
        """What belongs to the current app.

        Raises `ConfigError` if `init_app` has not been called with that app, or if its settings are
        not complete.
        """
        return self._current_state()

    def _current_state(self) -> AppState:
        try:
            found: AppState | ConfigError = current_app.extensions["spayon"][self.name]

        except KeyError:
            raise ConfigError(
                f"this app has no Spayon object named {self.name!r}: call init_app(app) first"
            ) from None

        if isinstance(found, ConfigError):
            raise ConfigError(str(found))

        return found

    @property
    def settings(self) -> Settings:
        """The settings of the current app."""
        return self.state.settings

    @property
    def tokens(self) -> TokenService:
        """The token service of the current app."""
        return self.state.client.tokens

    @property
    def client(self) -> Client:
        """The gateway's API, with the credentials of the current app."""
        return self.state.client

    def start_checkout(self, order: Order) -> PaymentMixin:
        """Return the `Payment` to pay *order* with: send the payer to its `session_url`.

        Raises `OrderNotPayableError`, `GatewayError`, `UncommittedChangesError`, or `ConfigError`
        if the shop's own URLs are unknown or, in production, not HTTPS.
        """
        return self.state.checkout.start(order)

    def refresh(self, payment: PaymentMixin) -> PaymentMixin:
        """Return *payment* as it is now, having asked Spayon if that may be done.

        Spayon is asked if the payment is pending, or has failed or expired: a `paid` may follow.
        But not within STATUS_INTERVAL of the last question. Raises a `GatewayError` if Spayon gives
        no usable answer.
        """
        return self.state.reconciler.refresh(payment.id, ended=True)

    def payment_of(self, order_id: str) -> PaymentMixin | None:
        """Return the payment that says how an order stands, or None if there is none.

        The one that is paid; else one under review; else the one that can be paid now; else the
        newest.
        """
        state = self.state
        return state.storage.queries.standing(str(order_id), now=state.clock())

    def reconcile(
        self,
        *,
        limit: int | None = None,
        jobs: int = JOBS,
        progress: Callable[[Step], object] | None = None,
        stop: threading.Event | None = None,
    ) -> Summary:
        """Ask Spayon about every pending payment that is due, at most *limit*; say what changed.

        *jobs* status calls run at once; *progress* is called with each payment that is done. Once
        *stop* is set, what is under way is finished, and the rest left for another run.
        """
        return self.state.reconciler.run(limit=limit, jobs=jobs, progress=progress, stop=stop)

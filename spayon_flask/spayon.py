"""Spayon: the object that a shop makes; it puts the parts together for each app."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timezone

from flask import Blueprint, Flask, abort, current_app
from flask_sqlalchemy import SQLAlchemy

from .cli import create_group, for_command_line, takes_no_payments
from .client import Client
from .client.tokens import TokenService
from .domain.handlers import Handlers, check_function
from .domain.orders import Order
from .domain.registration import Registration
from .errors import ConfigError, UnknownVendorError
from .reconcile import JOBS, Heartbeat, Step, Summary
from .settings import Settings
from .state import AppState, Base, CredentialsLoader, Vendors, check_app
from .storage import Source, forget_connections_after_fork
from .storage.models import CallbackMixin, PaymentMixin, make_models
from .urls import vendor_in_address
from .views import create_blueprint

logger = logging.getLogger(__name__)


def utc_now() -> datetime:
    """Return the present as aware UTC."""
    return datetime.now(timezone.utc)


class Spayon(Registration):
    """The payments of one vendor account, or of many, for any number of apps.

    *db* is the shop's `SQLAlchemy` object, *name* that of the account, *config_prefix* that of its
    settings. *credentials* takes the name of a vendor and returns the vendor's `Credentials`, or
    None if there is no such vendor: then the settings hold none, the prefix that the blueprint is
    mounted at has a part `<vendor>`, and each vendor has an account of its own. *payment_class* and
    *callback_class* are the shop's own model classes, made from `PaymentMixin` and `CallbackMixin`;
    ours by default. *clock* returns the present as aware UTC.
    """

    def __init__(
        self,
        db: SQLAlchemy,
        *,
        name: str = "spayon",
        config_prefix: str = "SPAYON_",
        credentials: CredentialsLoader | None = None,
        payment_class: type[PaymentMixin] | None = None,
        callback_class: type[CallbackMixin] | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        if not name.isidentifier():
            raise ConfigError(f"name must be an identifier such as 'spayon', not {name!r}")

        if (payment_class is None) != (callback_class is None):
            raise ConfigError("give both payment_class and callback_class, or neither")

        if not isinstance(db, SQLAlchemy):
            raise ConfigError(
                "Spayon needs the SQLAlchemy object of Flask-SQLAlchemy, whose session and models "
                f"are the shop's own, not {type(db).__name__} of {type(db).__module__}"
            )

        if credentials is not None:
            check_function("credentials", credentials, arguments=1)

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
        super().__init__(has_vendors=credentials is not None)
        self._credentials = credentials
        self._clock = clock
        #: The routes to mount.
        self.blueprint = create_blueprint(name, self._named_in_url)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def init_app(self, app: Flask) -> None:
        """Read and check the settings of *app*, and add the commands `flask spayon ...`.

        Raises `ConfigError`, which names the key, if a setting is missing or makes no sense. An app
        under `testing` that has no setting of ours starts, as do commands that serve no payers:
        there, what has to do with payments raises the error.
        """
        states = app.extensions.setdefault("spayon", {})

        if self.name in states:
            raise ConfigError(
                f"this app has a Spayon object named {self.name!r} already: call init_app once, "
                "and give the object of a second vendor account another name and config_prefix"
            )

        handlers = self._next_app()

        try:
            check_app(app, self.db.session)
            settings = Settings.from_config(
                app.config, self.config_prefix, of_vendors=self._has_vendors
            )

        except ConfigError as error:
            if not (takes_no_payments() or self._has_tests_of_other_things(app)):
                # Without the frames of the checks: the message names the key.
                raise for_command_line(error).with_traceback(None) from None

            logger.warning("no payments: %s", error, extra={"account": self.name})
            states[self.name] = error

        else:
            states[self.name] = self._make_state(app, settings, handlers)

        forget_connections_after_fork(app, self.db)
        app.cli.add_command(create_group(self.name, self._accounts, vendors=self._has_vendors))

    def _has_tests_of_other_things(self, app: Flask) -> bool:
        """Return True if *app* is under test and was told nothing about payments."""
        return app.testing and not any(
            key.startswith(self.config_prefix) and value for key, value in app.config.items()
        )

    def _make_state(self, app: Flask, settings: Settings, handlers: Handlers) -> AppState | Vendors:
        """Put together what *app* has of this object, whose functions are *handlers*."""
        if settings.api_url.startswith("http:") and not settings.simulated:
            logger.warning(
                "API_URL is plain HTTP, as Spayon's staging is: credentials travel unencrypted",
                extra={"account": self.name},
            )

        base = Base(
            name=self.name,
            config_prefix=self.config_prefix,
            settings=settings,
            handlers=handlers,
            blueprint=self.blueprint,
            source=Source(self.name, settings.gateway, self.db, self.Payment, self.Callback),
            heartbeat=Heartbeat(f"{app.instance_path}/{self.name}-reconcile.json"),
            clock=self._clock,
        )
        credentials = self._credentials
        return AppState(base, settings) if credentials is None else Vendors(base, credentials)

    def staff(
        self,
        *,
        allowed: Callable[..., object],
        may_settle: Callable[..., object] | None = None,
        who: Callable[[], str] | None = None,
    ) -> Blueprint:
        """Return the desk: pages for the shop's people, to mount where they work.

        *allowed* is asked on every request: True lets the present person in, a response (a redirect
        to the login, say) is sent instead, and all else is a 404; it may also `abort`. *may_settle*
        is asked, in the same way, for everything that writes; without it nobody writes. *who*
        returns the person's name, which is kept with each decision. With many vendors *allowed* and
        *may_settle* take the vendor whose payments are asked for. Raises `RegistrationError`.
        """
        # Imported here: a worker that takes callbacks need not have it.
        from .desk import create_staff  # noqa: PLC0415  on demand

        return create_staff(
            self.name,
            self._accounts,
            allowed=allowed,
            may_settle=may_settle,
            who=who,
            vendors=self._has_vendors,
        )

    # What a shop does inside an app context.

    @property
    def state(self) -> AppState:
        """What belongs to the current app, if this object has one account.

        Raises `ConfigError` if `init_app` has not been called with that app, or if its settings are
        not complete.
        """
        return self._accounts().of(None)

    def _accounts(self) -> AppState | Vendors:
        try:
            found: AppState | Vendors | ConfigError = current_app.extensions["spayon"][self.name]

        except KeyError:
            raise ConfigError(
                f"this app has no Spayon object named {self.name!r}: call init_app(app) first"
            ) from None

        if isinstance(found, ConfigError):
            raise ConfigError(str(found))

        return found

    def _named_in_url(self, *, bare: bool = False) -> AppState:
        """Return the account that a request is about; the only one, if there are no vendors."""
        vendor = vendor_in_address() if self._has_vendors else None
        accounts = self._accounts()

        try:
            return accounts.bare(vendor) if bare else accounts.of(vendor)

        except UnknownVendorError:
            abort(404)

    @property
    def settings(self) -> Settings:
        """The settings of the current app; with many vendors they hold no credentials."""
        return self._accounts().settings

    @property
    def tokens(self) -> TokenService:
        """The token service of the current app."""
        return self.state.client.tokens

    @property
    def client(self) -> Client:
        """The gateway's API, with the credentials of the current app."""
        return self.state.client

    def tokens_of(self, vendor: str) -> TokenService:
        """Return the token service of *vendor*; raises `UnknownVendorError`."""
        return self.client_of(vendor).tokens

    def client_of(self, vendor: str) -> Client:
        """Return the gateway's API, with the credentials of *vendor*; raises `UnknownVendorError`.

        It goes on with those credentials: do not keep it.
        """
        return self._accounts().of(vendor).client

    def start_checkout(self, order: Order, vendor: str | None = None) -> PaymentMixin:
        """Return the `Payment` to pay *order* with: send the payer to its `session_url`.

        Raises `OrderNotPayableError`, `GatewayError`, `UncommittedChangesError`, or `ConfigError`
        if the shop's own URLs are unknown. It commits: locks that the shop took in `db.session`
        end with the call.
        """
        state = self._accounts().of(vendor)
        return state.checkout.start(order, loaded_at=state.clock())

    def refresh(self, payment: PaymentMixin) -> PaymentMixin:
        """Return *payment* as it is now, having asked Spayon if that may be done.

        Spayon is asked if the payment is pending, or has failed or expired: a `paid` may follow.
        But not within STATUS_INTERVAL of the last question. Raises a `GatewayError` if Spayon gives
        no usable answer.
        """
        state = self._accounts().kept(payment.vendor)
        found = state.storage.queries.get(payment.id)
        state.reconciler.refresh(found)
        return state.storage.queries.get(payment.id)

    def payment_of(self, order_id: str, vendor: str | None = None) -> PaymentMixin | None:
        """Return the payment that says how an order stands, or None if there is none.

        The one that is paid; else one under review; else the one that can be paid now; else the
        newest.
        """
        state = self._accounts().kept(vendor)
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
        *stop* is set, what is under way is finished, and the rest left for another run. Vendors
        take turns: one with wrong credentials, or without an answer, stops no other.
        """
        return self._accounts().reconcile(limit=limit, jobs=jobs, progress=progress, stop=stop)

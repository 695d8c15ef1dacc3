"""Extension: wires one Flask app in `init_app`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from datetime import timezone
from typing import cast

from flask import Blueprint
from flask import Flask
from flask import current_app
from flask_sqlalchemy import SQLAlchemy
from werkzeug.local import LocalProxy

from ..checkout import Links
from ..client import Client
from ..errors import ConfigError
from ..models import CallbackMixin
from ..models import PaymentMixin
from ..models import make_models
from ..orders import Order
from ..reconcile import JOBS
from ..reconcile import Step
from ..reconcile import Summary
from ..settings import Settings
from ..tokens import TokenService
from .registration import Registration
from .state import AppState
from .urls import links


def utc_now() -> datetime:
    """Return the present as aware UTC."""
    return datetime.now(timezone.utc)


class Extension(Registration):
    """The payments of one vendor account, for any number of apps.

    *db* is the shop's `SQLAlchemy` object, *name* that of the account, *config_prefix* that of its
    settings. *payment_class* and *callback_class* are the shop's own model classes, made from
    `PaymentMixin` and `CallbackMixin`; ours by default. *clock* returns the present as aware UTC.
    """

    #: The routes to mount.
    blueprint: Blueprint

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
        super().__init__()

        if not name.isidentifier():
            raise ConfigError(f"name must be an identifier such as 'spayon', not {name!r}")

        if (payment_class is None) != (callback_class is None):
            raise ConfigError("give both payment_class and callback_class, or neither")

        self.name = name
        self.config_prefix = config_prefix
        #: The shop's `SQLAlchemy` object.
        self.db = db
        self._clock = clock

        if payment_class is None or callback_class is None:
            payment_class, callback_class = make_models(db.Model)

        #: The model class of payments, to query by.
        self.Payment: type[PaymentMixin] = payment_class
        #: The model class of what Spayon told us.
        self.Callback: type[CallbackMixin] = callback_class

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def init_app(self, app: Flask) -> None:
        """Read and check the settings of *app*, and keep them with what is made from them.

        Raises `ConfigError`, which names the key, where a setting is missing or makes no sense.
        """
        states = app.extensions.setdefault("spayon", {})

        if self.name in states:
            raise ConfigError(
                f"this app has a Spayon object named {self.name!r} already: call init_app once, "
                "and give the object of a second vendor account another name and config_prefix"
            )

        states[self.name] = AppState.create(
            Settings.from_config(app.config, self.config_prefix),
            self.name,
            self.db.session,
            self.Payment,
            self.Callback,
            self._handlers,
            self._clock,
            app.app_context,
        )

    @property
    def state(self) -> AppState:
        """What belongs to the current app."""
        app = cast("LocalProxy[Flask]", current_app)._get_current_object()  # noqa: SLF001  public, despite its name

        try:
            found: AppState = app.extensions["spayon"][self.name]

        except KeyError:
            raise ConfigError(
                f"this app has no Spayon object named {self.name!r}: call init_app(app) first"
            ) from None

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
        where the shop's own URLs are unknown or, in production, not HTTPS.
        """
        # Before a row is written, for links that Spayon would not take.
        self.links("reference")
        return self.state.checkout.start(order, self.links)

    def refresh(self, payment: PaymentMixin) -> PaymentMixin:
        """Return *payment* as it is now, having asked Spayon where that may be done.

        Raises a `GatewayError` where Spayon gives no usable answer.
        """
        return self.state.reconciler.refresh(payment.id)

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

    def links(self, reference: str) -> Links:
        """Return the absolute URLs that Spayon is given for the payment *reference*.

        Raises `ConfigError` where they are unknown or, in production, not HTTPS.
        """
        return links(self.blueprint, self.settings, self.config_prefix, reference)

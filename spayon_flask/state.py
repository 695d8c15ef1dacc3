"""AppState: what one app has of one vendor account; Vendors: of a `Spayon` object with many."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from flask import Blueprint

from .checkout import Checkout
from .client import Client
from .client.transport import Transport
from .domain.handlers import Handlers, check_result
from .errors import ConfigError, HandlerError, UnknownVendorError
from .reconcile import Heartbeat, Reconciler, Summary
from .settings import Credentials, Settings
from .storage import Source, Storage
from .urls import Urls, is_part

logger = logging.getLogger(__name__)

#: The width of the column `account`.
_LONGEST = 64

#: A function of the shop that returns the credentials of a vendor, or None if there is none.
CredentialsLoader = Callable[[str], Credentials | None]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Base:
    """What the accounts of one `Spayon` object share in one app: all but the credentials."""

    #: That of the `Spayon` object, its blueprint and its command group.
    name: str
    #: What the keys of the settings begin with.
    config_prefix: str
    settings: Settings
    #: The shop's own functions.
    handlers: Handlers
    blueprint: Blueprint
    #: Where the rows of the account *name* are kept.
    source: Source
    #: When `reconcile` has last finished on this host.
    heartbeat: Heartbeat
    #: Returns the present as aware UTC.
    clock: Callable[[], datetime]


class AppState:
    """The settings of one vendor account in one app, and the parts made from them.

    Views, commands and the test tools work with it alone: none of them needs the `Spayon` object,
    or knows whether the object has one account or a thousand. *http* is a transport whose
    connections are shared.
    """

    def __init__(
        self,
        base: Base,
        settings: Settings,
        vendor: str | None = None,
        http: Transport | None = None,
    ) -> None:
        #: The vendor whose account it is, None if the object has one account.
        self.vendor = vendor
        #: The account, as the column of the tables has it: `spayon`, or `vendors/ani`.
        self.name = base.name if vendor is None else f"{base.name}/{vendor}"
        #: The command group.
        self.command = base.name
        self.config_prefix = base.config_prefix
        self.settings = settings
        #: The same as the app's config has them: without what only a vendor has.
        self.configured = base.settings
        #: The shop's own functions.
        self.handlers = base.handlers.of_vendor(vendor)
        #: Where Spayon and the payers reach the shop.
        self.urls = Urls(base.blueprint, settings, base.config_prefix, vendor)
        self.handlers.surroundings = self.urls.without_request
        #: The two tables.
        self.storage = Storage(
            replace(base.source, account=self.name), self.handlers, settings.status_interval
        )
        #: The gateway's API.
        self.client = Client(settings, self.name, self.storage.outbox.cleaned_up, http)
        self.heartbeat = base.heartbeat
        self.clock = base.clock
        self.reconciler = Reconciler(self.client, self.storage, self.clock)
        self.checkout = Checkout(
            self.name,
            self.client,
            self.storage,
            self.handlers,
            self.reconciler.refresh,
            self.urls.links,
            self.clock,
        )

    def of(self, vendor: str | None) -> AppState:
        """Return this account, the only one; raises `ConfigError` if a *vendor* is named."""
        if vendor is not None:
            raise ConfigError(f"the Spayon object {self.name!r} has one account, and no vendors")

        return self

    kept = of
    bare = of

    def accounts(self) -> list[AppState]:
        """Return every account of the object: this one."""
        return [self]

    def vendors(self) -> list[str]:
        """Return the vendors that have payments: there are none."""
        return []

    def reconcile(self, **options: Any) -> Summary:
        """Ask about what is due: see `Spayon.reconcile`."""
        # Imported here, with its pool of threads: a web worker asks about one payment at a time.
        from .reconcile.run import reconcile  # noqa: PLC0415  on demand

        return reconcile([self.reconciler], self.clock, self.heartbeat, **options)


class Vendors:
    """The accounts of a `Spayon` object with many vendors, each made when it is first needed.

    *load* is the shop's function for credentials. It is called each time that an account is asked
    for, so what it returns holds from then on.
    """

    def __init__(self, base: Base, load: CredentialsLoader) -> None:
        self._base = base
        self._load = load
        self._held: dict[str, tuple[Credentials | None, AppState]] = {}
        self._lock = threading.Lock()
        self._http = Transport(base.settings.api_url, base.settings.timeout, base.name)
        #: The rows of every vendor, of which this part sees none by itself.
        self.storage = Storage(base.source, base.handlers, base.settings.status_interval)
        self.name = base.name
        self.settings = base.settings
        self.heartbeat = base.heartbeat
        self.clock = base.clock

    def of(self, vendor: str | None) -> AppState:
        """Return the account of *vendor*; raises `UnknownVendorError` if it has no credentials."""
        found = self._find(vendor)

        if found is None or not found.settings.client_id:
            raise UnknownVendorError(f"no vendor {vendor!r}: no credentials, or no part of a URL")

        return found

    def kept(self, vendor: str | None) -> AppState:
        """Return the account of *vendor*, also of one that was removed and has payments."""
        found, inspection = self._find(vendor), self.storage.inspection

        if found is None or not (found.settings.client_id or inspection.has_payments(found.name)):
            raise UnknownVendorError(f"no vendor {vendor!r}, and no payment of one")

        return found

    def bare(self, vendor: str | None) -> AppState:
        """Return the account of *vendor* without credentials; the shop is not asked."""
        return AppState(self._base, self.settings, vendor, self._http)

    def accounts(self) -> list[AppState]:
        """Return the account of each vendor that has payments, in the order of their names."""
        return self._those(self._names())

    def reconcile(self, **options: Any) -> Summary:
        """Ask about what is due, for every vendor: see `Spayon.reconcile`."""
        from .reconcile.run import reconcile  # noqa: PLC0415  on demand

        due = self.storage.schedule.accounts_at_work(now=self.clock())
        reconcilers = [each.reconciler for each in self._those(due)]
        return reconcile(reconcilers, self.clock, self.heartbeat, **options)

    def vendors(self) -> list[str]:
        """Return the vendors that have payments, in the order of their names."""
        return [name.partition("/")[2] for name in self._names()]

    def _names(self) -> list[str]:
        return self.storage.inspection.accounts(self._base.name + "/")

    def _those(self, names: list[str]) -> list[AppState]:
        found = []

        for name in names:
            vendor = name.partition("/")[2]

            try:
                state = self._find(vendor)

            except Exception:
                # Whatever is wrong with one vendor must not stop the others.
                ids = {"account": name}
                logger.exception("the credentials of a vendor could not be loaded", extra=ids)
                self.storage.queries.look_again()
                state = self.bare(vendor)

            found += [] if state is None else [state]

        return found

    def _find(self, vendor: str | None) -> AppState | None:
        """Return the account of *vendor* with its present credentials, or with none.

        None if no vendor can have such a name.
        """
        if vendor is None:
            raise ConfigError(
                f"{self._base.name!r} has many vendors, so one of them must be named: mount the "
                "blueprint at url_prefix='/pay/<vendor>', and give vendor= in calls"
            )

        if not is_part(vendor) or len(f"{self._base.name}/{vendor}") > _LONGEST:
            return None

        credentials = self._credentials_of(vendor)

        # Two threads must not make two accounts: each would buy a token of its own.
        with self._lock:
            held = self._held.get(vendor)

            if held is None or held[0] != credentials:
                settings = self._base.settings.for_vendor(vendor, credentials)
                held = (credentials, AppState(self._base, settings, vendor, self._http))

                # Anybody can ask for vendors that there are not.
                if credentials is None:
                    self._held.pop(vendor, None)

                else:
                    self._held[vendor] = held

        return held[1]

    def _credentials_of(self, vendor: str) -> Credentials | None:
        found: object = self._load(vendor)
        check_result(self._load, found)

        if found is not None and not isinstance(found, Credentials):
            raise HandlerError(f"credentials= returned {type(found).__name__}, not Credentials")

        return found


#: What commands and the desk are given: a function that returns the accounts of the current app.
Accounts = Callable[[], AppState | Vendors]


class Current(Protocol):
    """What views are given: a function that returns the account that is meant.

    With *bare* the account comes without credentials, and neither the shop nor the database is
    asked: that is enough for the words of a page.
    """

    def __call__(self, *, bare: bool = False) -> AppState: ...


def check_app(app: Any, session: object) -> None:
    """Raise `ConfigError` if *app* or the shop's *session* is set up as we cannot work with."""
    if app.url_map.host_matching:
        raise ConfigError(
            "the app has host_matching=True, by which no route of a blueprint is found: use "
            "subdomain_matching, or put payments into an app of their own"
        )

    options = getattr(getattr(session, "session_factory", None), "kw", {})

    if not options.get("autobegin", True):
        raise ConfigError(
            "db has the session option autobegin=False, but handlers and pages read and write "
            "without db.session.begin(): remove the option"
        )

    engine = app.config.get("SQLALCHEMY_ENGINE_OPTIONS") or {}

    if engine.get("isolation_level") == "AUTOCOMMIT":
        raise ConfigError(
            "SQLALCHEMY_ENGINE_OPTIONS has isolation_level AUTOCOMMIT, by which a payment is "
            "recorded though its handler fails: remove it"
        )

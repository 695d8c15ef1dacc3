"""AppState: what one app has of one vendor account."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .checkout import Checkout
from .client import Client
from .errors import ConfigError
from .handlers import Handlers
from .reconcile import Heartbeat
from .reconcile import Reconciler
from .rehearsals import Rehearsals
from .settings import Settings
from .storage import Storage
from .urls import Urls


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class AppState:
    """The settings of one vendor account in one app, and the parts made from them.

    `Spayon.init_app` makes it once. Views, commands and the test tools work with it alone: none of
    them needs the `Spayon` object.
    """

    #: The account: the name of the `Spayon` object, its blueprint and its command group.
    name: str
    #: What the keys of the settings begin with.
    config_prefix: str
    settings: Settings
    #: The shop's own functions.
    handlers: Handlers
    #: Where Spayon and the payers reach the shop.
    urls: Urls
    #: The gateway's API.
    client: Client
    #: The two tables.
    storage: Storage
    checkout: Checkout
    reconciler: Reconciler
    #: When `reconcile` has last finished on this host.
    heartbeat: Heartbeat
    #: What `flask spayon rehearse` and the routes share.
    rehearsals: Rehearsals
    #: Returns the present as aware UTC.
    clock: Callable[[], datetime]


#: What views and commands are given: a function that returns the state of the current app.
Current = Callable[[], AppState]


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

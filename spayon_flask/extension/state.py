"""AppState: what belongs to one app, made once in `init_app`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple

from ..checkout import Checkout
from ..client import Client
from ..handlers import Handlers
from ..models import CallbackMixin
from ..models import PaymentMixin
from ..reconcile import Reconciler
from ..settings import Settings
from ..storage import Storage


if TYPE_CHECKING:
    from ..reconcile.recording import Context


logger = logging.getLogger(__name__)


class AppState(NamedTuple):
    """The settings of one vendor account in one app, and the parts made from them."""

    settings: Settings
    client: Client
    storage: Storage
    checkout: Checkout
    reconciler: Reconciler
    clock: Callable[[], datetime]

    @classmethod
    def create(
        cls,
        settings: Settings,
        account: str,
        session: Any,
        payment_class: type[PaymentMixin],
        callback_class: type[CallbackMixin],
        handlers: Handlers,
        clock: Callable[[], datetime],
        context: Context,
    ) -> AppState:
        """Make the parts from *settings*; *session* is the shop's `db.session`.

        *context* makes an app context for another thread.
        """
        if settings.api_url.startswith("http:") and not settings.simulated:
            logger.warning(
                "API_URL is plain HTTP, as Spayon's staging is: credentials travel unencrypted",
                extra={"account": account},
            )

        client = Client(settings, account)
        storage = Storage(
            account, session, payment_class, callback_class, handlers, settings.status_interval
        )
        reconciler = Reconciler(client, storage, clock, context)
        checkout = Checkout(account, client, storage, reconciler.refresh, clock)
        return cls(settings, client, storage, checkout, reconciler, clock)

"""Everything that this package raises.

* SpayonError
  + ConfigError                    a SPAYON_* setting is missing or wrong; also a ValueError
    - RegistrationError            what a shop registers is no plain function; also a TypeError
  + UnknownVendorError             there is no such vendor: `credentials=` knows none
  + OrderError                     an `Order` that cannot be paid as it is; also a ValueError
  + PaymentGoneError               the row of a payment was removed
  + OrderNotPayableError           the order is paid already, under review or closed
  + UncommittedChangesError        `db.session` holds changes that our commit would take along
  + HandlerError                   the shop's handler failed, or ended the transaction itself
  + NeedsReview                    raised by a handler: a person must look at this payment
  + ReviewError                    a payment cannot be moved out of review; the message says why
  + GatewayError                   Spayon was asked and it went badly
    - GatewayUnavailableError      no usable answer; worth another try
      . StillCreatingError         another request is creating the payment session at this moment
    - AuthenticationError          client id, client secret or token refused
    - RequestRefusedError          Spayon refuses what was sent
    - SessionNotFoundError         Spayon does not know the payment session
    - UnexpectedAnswerError        Spayon answered with something that makes no sense
  + CallbackError                  a POST to the callback route is refused
    - InvalidSignatureError        X-Signature is missing or does not match
    - InvalidPayloadError          signed, but not a report of a payment session
"""

from __future__ import annotations

from typing import Any


class SpayonError(Exception):
    """The base of every error of this package."""


class ConfigError(SpayonError, ValueError):
    """A setting is missing or wrong; the message names the key and says what to do."""


class RegistrationError(ConfigError, TypeError):
    """What a decorator was given cannot do its work when it is called; the message says why."""


class UnknownVendorError(SpayonError):
    """There is no such vendor: the shop's function for credentials returned None."""


class OrderError(SpayonError, ValueError):
    """The values given to `Order` cannot be paid; the message names the field."""


class PaymentGoneError(SpayonError):
    """The row of the payment is not in the table any more: `prune` removed it, perhaps."""


class OrderNotPayableError(SpayonError):
    """The order is paid already, a payment of it is under review, or the shop has closed it.

    *payment* is the payment that stands in the way, None if there is none.
    """

    def __init__(self, message: str, payment: Any) -> None:
        super().__init__(message)
        self.payment = payment


class UncommittedChangesError(SpayonError):
    """`db.session` holds changes; commit or roll them back before the call."""


class HandlerError(SpayonError):
    """A handler of the shop failed, or ended the transaction; everything was rolled back."""


class NeedsReview(SpayonError):  # noqa: N818  a request of the shop's handler, not a failure
    """Raise this in a handler if the goods cannot be given out, for a *reason* in a few words.

    What the handler wrote is undone, the payment goes to review with that reason, `on_review` runs,
    and Spayon gets its 200.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ReviewError(SpayonError):
    """The payment is not under review, or another payment holds its order."""


class GatewayError(SpayonError):
    """A call to Spayon went badly."""


class GatewayUnavailableError(GatewayError):
    """Spayon could not be reached, timed out, or answered 429 or 5xx; try again later.

    *retry_after* is the number of seconds Spayon asked to wait, if it named one. *sent* is
    false if the request certainly never reached Spayon.
    """

    def __init__(
        self, message: str, *, retry_after: float | None = None, sent: bool = True
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.sent = sent


class StillCreatingError(GatewayUnavailableError):
    """Another request is creating the payment session of the same order; try again in a moment."""


class AuthenticationError(GatewayError):
    """Spayon refused client id and secret, or a fresh token; check SPAYON_CLIENT_ID and _SECRET."""


class RequestRefusedError(GatewayError):
    """Spayon refused the request with a 4xx; *status_code* is its HTTP status."""

    def __init__(self, message: str, *, status_code: int = 400) -> None:
        super().__init__(message)
        self.status_code = status_code


class SessionNotFoundError(GatewayError):
    """Spayon does not know the payment session (404)."""


class UnexpectedAnswerError(GatewayError):
    """Spayon answered, but not in the form that its documentation gives."""


class CallbackError(SpayonError):
    """A callback is refused; nothing was recorded."""


class InvalidSignatureError(CallbackError):
    """X-Signature is missing, or was not made for this body with a known callback secret."""


class InvalidPayloadError(CallbackError):
    """The body is not a JSON object with a usable `sessionId` and `status`."""

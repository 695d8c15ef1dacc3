"""Admin: views of payments and callbacks for Flask-Admin; needs `spayon-flask[admin]`."""

from .views import CallbackView
from .views import PaymentView
from .views import add_views


__all__ = ["CallbackView", "PaymentView", "add_views"]

"""The SPAYON_* configuration, checked once, when the app starts."""

from .settings import Credentials, Settings

__all__ = ["Credentials", "Settings"]

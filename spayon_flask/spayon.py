"""Spayon: the object that a shop makes, with its routes and its commands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from .cli import create_group
from .cli.starting import for_command_line
from .errors import ConfigError
from .extension import Extension
from .extension import utc_now
from .models import CallbackMixin
from .models import PaymentMixin
from .views import create_blueprint


class Spayon(Extension):
    __doc__ = Extension.__doc__

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
        super().__init__(
            db,
            name=name,
            config_prefix=config_prefix,
            payment_class=payment_class,
            callback_class=callback_class,
            clock=clock,
        )
        self.blueprint = create_blueprint(self)

    def init_app(self, app: Flask) -> None:
        """Read and check the settings of *app*, and add the commands `flask spayon ...`.

        Raises `ConfigError`, which names the key, where a setting is missing or makes no sense.
        """
        try:
            super().init_app(app)

        except ConfigError as error:
            raise for_command_line(error) from None

        app.cli.add_command(create_group(self))

"""Spayon: the object that a shop makes, with its routes and its commands."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from .cli import create_group
from .extension import Extension
from .views import create_blueprint


class Spayon(Extension):
    __doc__ = Extension.__doc__

    def __init__(self, db: SQLAlchemy, **options: Any) -> None:
        super().__init__(db, **options)
        self.blueprint = create_blueprint(self)

    def init_app(self, app: Flask) -> None:
        """Read and check the settings of *app*, and add the commands `flask spayon ...`.

        Raises `ConfigError`, which names the key, where a setting is missing or makes no sense.
        """
        super().init_app(app)
        app.cli.add_command(create_group(self))

"""A shop with Flask-Migrate, and the commands that its developer types."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flask_migrate  # type: ignore[import-untyped]  # it has no types
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import inspect


class Migrations:
    """The tables of *app* come from migrations in *directory* alone, from `flask db init` on."""

    def __init__(self, app: Flask, db: SQLAlchemy, directory: Path) -> None:
        self.app = app
        self.db = db
        self._directory = directory
        Migrate(app, db)

        with app.app_context():
            flask_migrate.init(str(directory))

        env = directory / "env.py"
        # It would silence every logger of the test run.
        env.write_text(env.read_text().replace("fileConfig(config.config_file_name)", ""))

    def migrate(self) -> list[Path]:
        """`flask db migrate`; return the migrations that this wrote."""
        before = set(self._written())

        with self._command():
            flask_migrate.migrate(str(self._directory))

        return [path for path in self._written() if path not in before]

    def upgrade(self) -> None:
        """`flask db upgrade`."""
        with self._command():
            flask_migrate.upgrade(str(self._directory))

    def downgrade(self) -> None:
        """`flask db downgrade base`."""
        with self._command():
            flask_migrate.downgrade(str(self._directory), revision="base")

    @contextmanager
    def _command(self) -> Iterator[None]:
        # Flask-Migrate keeps the first command's options for the whole life of its process.
        self.app.extensions["migrate"].configure_args.pop("process_revision_directives", None)

        with self.app.app_context():
            yield

    def _written(self) -> list[Path]:
        return list((self._directory / "versions").glob("*.py"))

    def tables(self) -> set[str]:
        """Return the names of the tables in the database."""
        with self.app.app_context():
            return set(inspect(self.db.engine).get_table_names())

    def differences(self) -> list[Any]:
        """Return what the database lacks, by Alembic's sharpest comparison."""
        with self.app.app_context(), self.db.engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"compare_type": True, "compare_server_default": True}
            )
            return list(compare_metadata(context, self.db.metadata))

"""A shop with Flask-Migrate, and the commands that its developer types."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flask_migrate  # type: ignore[import-untyped]  # it has no types
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import inspect

from spayon_flask import Spayon
from tests.shop import CONFIG


@dataclass
class MigratedShop:
    """A shop whose tables come from migrations in *directory* alone."""

    app: Flask
    db: SQLAlchemy
    spayon: Spayon
    directory: Path

    def start(self) -> None:
        """`flask db init`."""
        with self.app.app_context():
            flask_migrate.init(str(self.directory))

        env = self.directory / "env.py"
        # It would silence every logger of the test run.
        env.write_text(env.read_text().replace("fileConfig(config.config_file_name)", ""))

    def migrate(self) -> list[Path]:
        """`flask db migrate`; return the migrations that this wrote."""
        before = set(self.migrations())

        with self._command():
            flask_migrate.migrate(str(self.directory))

        return [path for path in self.migrations() if path not in before]

    def upgrade(self) -> None:
        """`flask db upgrade`."""
        with self._command():
            flask_migrate.upgrade(str(self.directory))

    def downgrade(self, revision: str = "base") -> None:
        """`flask db downgrade`."""
        with self._command():
            flask_migrate.downgrade(str(self.directory), revision=revision)

    @contextmanager
    def _command(self) -> Iterator[None]:
        # Flask-Migrate keeps the first command's options for the whole life of its process.
        self.app.extensions["migrate"].configure_args.pop("process_revision_directives", None)

        with self.app.app_context():
            yield

    def migrations(self) -> list[Path]:
        """Return the migrations there are."""
        return list((self.directory / "versions").glob("*.py"))

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

    def dispose(self) -> None:
        """Close every connection."""
        with self.app.app_context():
            self.db.session.remove()
            self.db.engine.dispose()


def make_migrated_shop(
    database_url: str, directory: Path, db: SQLAlchemy | None = None
) -> MigratedShop:
    """Return a shop on the database at *database_url*, with a folder of migrations."""
    db = db or SQLAlchemy()
    spayon = Spayon(db)
    app = Flask("shop")
    app.config.update(CONFIG, SQLALCHEMY_DATABASE_URI=database_url)
    db.init_app(app)
    spayon.init_app(app)
    Migrate(app, db)
    app.register_blueprint(spayon.blueprint, url_prefix="/pay")
    shop = MigratedShop(app, db, spayon, directory)
    shop.start()
    return shop

"""An app without secrets: what works at the command line, and what is refused."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHOP = """
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from spayon_flask import Spayon

db = SQLAlchemy()
spayon = Spayon(db)


def create_app():
    app = Flask("shop")
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///shop.db"
    app.config.from_prefixed_env()
    db.init_app(app)
    spayon.init_app(app)
    Migrate(app, db)
    app.register_blueprint(spayon.blueprint, url_prefix="/pay")

    @app.cli.command()
    def settings():
        print(spayon.settings)

    return app
"""

MISSING = "SPAYON_CLIENT_ID, SPAYON_CLIENT_SECRET, SPAYON_CALLBACK_SECRET, SPAYON_PUBLIC_URL are"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


def flask(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if "SPAYON_" not in name}
    return subprocess.run(
        [sys.executable, "-m", "flask", "--app", "shop", *arguments],
        cwd=folder,
        env=kept | environ,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--help",), "spayon"),
        (("routes",), "spayon.callback"),
        (("spayon", "--help"), "reconcile"),
        (("spayon", "reconcile", "--help"), "--watch"),
        (("db", "init"), "done"),
    ],
)
@pytest.mark.thorough
def test_what_has_nothing_to_do_with_payments_works_without_secrets(
    folder: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = flask(folder, *arguments)

    assert done.returncode == 0, done.stderr
    assert says in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        *(
            pytest.param(each, marks=pytest.mark.thorough)
            for each in ("spayon doctor", "spayon payments", "spayon reconcile")
        ),
        "settings",
        "run --port 0",
    ],
)
def test_what_needs_the_settings_says_what_is_missing(folder: Path, command: str) -> None:
    done = flask(folder, *command.split())

    assert done.returncode == 1
    assert f"Error: {MISSING} missing" in done.stderr
    # A command of the shop's own shows errors as the shop does.
    assert command == "settings" or "Traceback" not in done.stderr


def test_an_app_that_is_made_by_another_program_does_not_start(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import shop; shop.create_app()"],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if "SPAYON_" not in name},
        capture_output=True,
        check=False,
        text=True,
    )

    assert done.returncode == 1
    assert f"ConfigError: {MISSING} missing" in done.stderr


def test_with_the_settings_the_command_of_the_shop_works(folder: Path) -> None:
    done = flask(
        folder,
        "settings",
        FLASK_SPAYON_CLIENT_ID="id",
        FLASK_SPAYON_CLIENT_SECRET="hush",
        FLASK_SPAYON_CALLBACK_SECRET="hushhush",
        FLASK_SPAYON_PUBLIC_URL="https://shop.example",
    )

    assert done.returncode == 0, done.stderr
    assert "https://shop.example" in done.stdout

"""The shop once more, in a process of its own: `flask --app tests.cli.child spayon ...`."""

import os
from unittest.mock import patch

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from tests.shop import make_shop


def create_app() -> Flask:
    """Return the shop on the database and with the gateway that the environment names."""
    with patch.object(SQLAlchemy, "drop_all"), patch.object(SQLAlchemy, "create_all"):
        # The tables are there, and hold what the parent has put into them.
        return make_shop(
            os.environ["SHOP_DATABASE_URL"], SPAYON_API_URL=os.environ["SHOP_API_URL"]
        ).app

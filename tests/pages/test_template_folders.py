"""Template folders: a shop's own file wins, wherever it is and whatever was registered first."""

from pathlib import Path

import pytest
from flask import Blueprint

from tests.neighbours.shop import make_app, make_parts


@pytest.mark.parametrize("ours_first", [True, False])
def test_a_template_of_the_shops_own_blueprint_wins(tmp_path: Path, *, ours_first: bool) -> None:
    folder = tmp_path / "templates" / "spayon"
    folder.mkdir(parents=True)
    (folder / "error.html").write_text("<p>the error page of the shop</p>")
    app, parts = make_app(), make_parts()
    parts.db.init_app(app)
    parts.spayon.init_app(app)
    own = Blueprint("own", __name__, template_folder=str(tmp_path / "templates"))

    if ours_first:
        app.register_blueprint(parts.spayon.blueprint, url_prefix="/pay")
        app.register_blueprint(own)

    else:
        app.register_blueprint(own)
        app.register_blueprint(parts.spayon.blueprint, url_prefix="/pay")

    with app.app_context():
        parts.db.create_all()

    page = app.test_client().get("/pay/cancel/nobody")
    assert "the error page of the shop" in page.text

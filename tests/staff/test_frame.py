"""The desk in a shop's own frame: the shop's words and variables stay its own."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import template_rendered
from jinja2 import FileSystemLoader, StrictUndefined

from tests.reports import report
from tests.staff.conftest import Desk

PATHS = [
    *("", "/list", "/list?q=A1", "/1", "/2", "/1/refund", "/2/decide?decision=refuse"),
    *("/reviews", "/unknown", "/unknown/3", "/export", "/999"),
]

#: Names of templates of ours, which a shop may well give to something of its own.
NAMES = ("language", "shop_name", "desk", "payment", "parts", "words", "heading", "token", "period")


def fill(desk: Desk) -> None:
    """Let each page have something to show."""
    for number, fields in enumerate(({}, {"price": "7"}), 1):
        desk.shop.add_order(f"A{number}")
        desk.shop.add_payment(f"S{number}", f"A{number}")
        desk.shop.deliver(report(f"S{number}", orderId=f"A{number}", **fields))

    desk.shop.deliver(report("S9", orderId="A9"))


@pytest.fixture
def framed(tmp_path: Path, own_desk: Callable[..., Desk]) -> Desk:
    """A desk in a frame of the shop, which has a translation and names of its own."""
    frame = tmp_path / "spayon" / "staff" / "base.html"
    frame.parent.mkdir(parents=True)
    names = " ".join(f"{{{{ {name} }}}}" for name in NAMES)
    frame.write_text(
        f'{{{{ _("Payments") }}}} [{names}]<title>{{% block title %}}{{% endblock %}}</title>'
        "<main>{% block content %}{% endblock %}"
    )
    desk = own_desk()
    app = desk.shop.app
    app.jinja_loader = FileSystemLoader(tmp_path)
    app.jinja_env.undefined = StrictUndefined
    app.context_processor(lambda: dict.fromkeys(NAMES, "o"))
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # the extension's
        lambda message: f"the shop’s {message}", lambda one, *_: one, newstyle=True
    )
    fill(desk)
    return desk


def test_in_the_shop_s_own_frame_its_words_and_variables_are_its_own(framed: Desk) -> None:
    for path in PATHS:
        page = framed.get(path, headers={"Accept-Language": "ru"}).text
        assert page.startswith(f"the shop’s Payments [{' '.join('o' for _ in NAMES)}]"), path
        assert not re.search("the shop’s (?!Payments)", page), path


def test_every_name_that_the_desk_passes_is_one_that_no_shop_has(
    own_desk: Callable[..., Desk],
) -> None:
    desk = own_desk()
    desk.shop.app.jinja_env.undefined = StrictUndefined
    fill(desk)
    flask = {"g", "request", "session"}
    passed: set[str] = set()

    def note(_: object, context: dict[str, Any], **__: object) -> None:
        passed.update(context)

    with template_rendered.connected_to(note, desk.shop.app):
        for path in PATHS:
            assert desk.get(path).status_code in (200, 404)

    assert "spayon_desk" in passed
    assert {name for name in passed - flask if not name.startswith("spayon_")} == set()

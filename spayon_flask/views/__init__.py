"""Views: the blueprint that a shop mounts."""

from __future__ import annotations

from flask import Blueprint

from ..state import Current
from .callback import create_callback
from .cancel_page import create_cancel_page
from .checkout import create_checkout
from .jinja import check_jinja
from .language import page_language
from .mounting import stay_in_place
from .neighbours import LastResortBlueprint
from .neighbours import exempt
from .rehearsal import create_rehearsal
from .return_page import create_return_page


def create_blueprint(name: str, current: Current) -> Blueprint:
    """Return the routes of the account *name*; *current* returns the state of the app."""
    blueprint = LastResortBlueprint(
        name,
        "spayon_flask",
        static_folder="static",
        # Mounted at the root, plain "/static" would be the shop's own folder.
        static_url_path="/static/spayon",
        template_folder="templates",
    )
    check_jinja(blueprint)
    callback = create_callback(name, current)

    # For macros.html, which a shop's own pages import without any context of ours.
    blueprint.add_app_template_global(
        lambda code=None: page_language(current(), code), "spayon_language"
    )

    # Spayon must not be redirected: it signs one POST, and follows nothing that we know of.
    blueprint.add_url_rule(
        "/callback", "callback", callback, methods=["POST"], strict_slashes=False
    )
    # A bank may send the payer back by a form of its own, which knows no CSRF token either. Both
    # views change nothing by a POST.
    return_page = create_return_page(current)
    cancel_page = create_cancel_page(current)
    rehearsal = create_rehearsal(current)

    for rule, endpoint, view in (
        ("/checkout/<path:order_id>", "checkout", create_checkout(current)),
        ("/return", "return_page", return_page),
        ("/cancel/<reference>", "cancel_page", cancel_page),
        ('/rehearsal/<key>/<any(callback, "return", cancel):what>', "rehearsal", rehearsal),
    ):
        blueprint.add_url_rule(rule, endpoint, view, methods=["GET", "POST"])

    stay_in_place(blueprint)
    exempt(blueprint, callback, return_page, cancel_page, rehearsal)
    return blueprint

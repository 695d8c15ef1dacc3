"""Views: the blueprint that a shop mounts."""

from .blueprint import LastResortBlueprint
from .blueprint import create_blueprint


__all__ = ["LastResortBlueprint", "create_blueprint"]

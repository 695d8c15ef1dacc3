"""Views: the blueprint that a shop mounts."""

from .blueprint import LastResortBlueprint, create_blueprint

__all__ = ["LastResortBlueprint", "create_blueprint"]

"""Errors as a tool such as Sentry sends them: each frame with its local variables."""

from traceback import TracebackException


def frames_of(error: BaseException) -> list[str]:
    """Return the frames of our package that *error* has passed, each with its variables."""
    told = "".join(TracebackException.from_exception(error, capture_locals=True).format())
    parts = told.split("  File ")
    return [part for part in parts if "/spayon_flask/" in part.partition("\n")[0]]

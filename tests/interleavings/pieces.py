"""Pieces: what one process explores by itself."""

import contextlib
import logging
import os
from pathlib import Path
from typing import NamedTuple

from tests.interleavings.explore import Explorer, Tally, all_pairs
from tests.interleavings.world import worlds


class Piece(NamedTuple):
    """A state on a database; *words* are a part of the names of the pairs."""

    engine: str
    state: str
    sample: int | None
    words: str


def explore(piece: Piece) -> tuple[str, list[Tally]]:
    """Explore *piece* in this process; return the engine, and a tally of each pair."""
    # Many failures are meant here, and the commands have their say.
    logging.disable(logging.CRITICAL)
    pairs = [pair for pair in all_pairs() if pair.state == piece.state and piece.words in str(pair)]

    with (
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        worlds("spayon_interleavings") as world_on,
    ):
        explorer = Explorer(world_on(piece.engine))
        return piece.engine, [explorer.explore(pair, piece.sample) for pair in pairs]

"""Pieces of a run, shared by any number of processes: whoever is free takes the next that nobody has."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .claims import claim

logger = logging.getLogger(__name__)
POLL = 2.0  # seconds until a process without work looks again


def always() -> bool:
    """Nothing to wait for."""
    return True


@dataclass(frozen=True)
class Piece:
    """A part of a run that is computed once, whoever computes it.

    Attributes:
        name: unlike any other's in the run; may hold slashes.
        done: whether its result is there, or never will be.
        compute: makes its result, written whole or not at all.
        ready: whether what it needs is there.
    """

    name: str
    done: Callable[[], bool]
    compute: Callable[[], Any]
    ready: Callable[[], bool] = always


def work_through(pieces: Sequence[Piece], claims: Path, poll: float = POLL) -> None:
    """Compute every piece that is not done, the first ones first; returns when all are done, also by others.

    Args:
        pieces: in the order of their worth.
        claims: folder for the claims, the same for all processes and machines of the run.
        poll: seconds to wait where every piece left is in another's hands.
    """
    left = list(pieces)
    while left := [piece for piece in left if not piece.done()]:
        # `any` stops at the first that was computed, so that a more urgent piece made ready by it comes next
        if not any(_compute(piece, claims, len(left)) for piece in left):
            time.sleep(poll)


def _compute(piece: Piece, claims: Path, n_left: int) -> bool:
    """Compute it, unless it has to wait or another process has it."""
    if not piece.ready():
        return False
    with claim(claims / piece.name) as ours:
        if not ours or piece.done():
            return False
        logger.info("%d pieces left; now %s", n_left, piece.name)
        piece.compute()
    return True

"""Count the training songs near each point of the valence-arousal plane, which shades the plane of the Space.

    python docs/make_density.py --data-dir DEAM

The counts, 20 x 20 whole numbers, are written into spaces_demo/assets/songs.json. They are of the songs that the
packaged flow was trained on (all folds but fold 2), with corrected labels. Counts of one or two are written as 0, so
that no label of a song can be read from them.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from musemo_hf.data.deam.layout import find_deam
from musemo_hf.data.deam.songs import list_songs

OUTPUT = Path(__file__).resolve().parent.parent / "spaces_demo" / "assets" / "songs.json"
HELD_OUT = 2  # the fold
CELLS = 20  # in each direction
RADIUS = 0.2  # in units of valence and arousal
FEWEST = 3  # smaller counts are written as 0


def main() -> None:
    """Write the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True, metavar="DEAM", help="The folder of DEAM.")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="The file (default: that of the Space).")
    arguments = parser.parse_args()
    songs, _ = list_songs(find_deam(arguments.data_dir))
    emotion = np.array([song.annotation.emotion for song in songs if song.fold != HELD_OUT])
    arguments.output.write_text(to_json(count_songs(emotion), len(emotion)), encoding="utf-8")
    print(f"{arguments.output}: {len(emotion)} songs")


def count_songs(emotion: np.ndarray) -> np.ndarray:
    """Count the songs at most `RADIUS` from the centre of each cell of the plane.

    Args:
        emotion: The (valence, arousal) of the songs `(n, 2)`, in [-1, 1].

    Returns:
        The counts `(CELLS, CELLS)`, 0 where below `FEWEST`: rows of falling arousal, columns of rising valence.
    """
    centres = (np.arange(CELLS) + 0.5) * 2 / CELLS - 1
    across = np.square(centres[None, :, None] - emotion[:, 0])
    upwards = np.square(centres[::-1, None, None] - emotion[:, 1])
    counts = (across + upwards <= RADIUS**2).sum(axis=2)
    return np.where(counts < FEWEST, 0, counts)


def to_json(counts: np.ndarray, n_songs: int) -> str:
    """Return the counts as JSON, one row of the plane on each line."""
    rows = ",\n".join(f"    {json.dumps(row)}" for row in counts.tolist())
    return f'{{\n  "songs": {n_songs},\n  "radius": {RADIUS},\n  "counts": [\n{rows}\n  ]\n}}\n'


if __name__ == "__main__":
    main()

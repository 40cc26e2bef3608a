"""The artists of real music, so that songs of one artist are on one side of every comparison."""

from pathlib import Path

from musemo_hf.commands.score.artist_table import read_artists
from musemo_hf.data.folds import artist_groups

NOT_GIVEN = (
    "not given by --artists, so that songs of one artist may be in both halves of the real music, or also among "
    "held-out clips: real music then looks nearer to real music than songs of other artists are, and intervals are "
    "too narrow"
)
HELD_OUT_UNKNOWN = (
    "those of held-out clips are not known: they must not be among those of REAL, and the clips are drawn one by one"
)


def artists_of(path: Path, names: list[str]) -> dict[str, str]:
    """Read the group of each clip of REAL: its artist, or a group of its own where the table says unknown or various.

    Args:
        path: The table, with the columns file and artist.
        names: The names of the clips, relative to REAL; those of a stack end in [0], [1] and so on.

    Raises:
        ValueError: A clip is not in the table, the table has a file that is not there, or there are not two artists.
    """
    table = read_artists(path)
    missing = [name for name in names if name not in table]
    unknown = sorted(set(table) - set(names))
    if missing or unknown:
        without = [f"none for {len(missing)}, such as {missing[0]}"] if missing else []
        strange = [f"{len(unknown)} for files that REAL does not have, such as {unknown[0]}"] if unknown else []
        got = " and ".join(without + strange)
        raise ValueError(f"{path}: expected an artist for each of the {len(names)} clips of REAL, got {got}")
    groups = artist_groups([table[name] for name in names])
    if len(set(groups)) < 2:
        raise ValueError(
            f"{path}: expected at least 2 artists of REAL, which is halved by artists, got {len(set(groups))}"
        )
    return dict(zip(names, groups, strict=True))

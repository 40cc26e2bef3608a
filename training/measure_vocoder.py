"""Measure on real songs what log-mel and inversion leave of them, and write the page.

    python training/measure_vocoder.py SONGS --corpus Emotify
    python training/measure_vocoder.py SONGS --corpus Emotify --vocoder cvssp/audioldm2

SONGS is a folder of audio files that no network was trained on. The script writes docs/sound.md and its picture;
`--json` keeps the numbers, so that only new channels are measured, `--report-only` writes the page of them again, and
`--sounds` writes songs before and after each channel, to be heard. It takes about five minutes of one core for 120
songs.
"""

import argparse
import json
import shlex
from pathlib import Path
from typing import Any

from musemo_hf import MusemoFeatureExtractor, MusemoViTForEmotionRegression, embedded_checkpoint
from musemo_hf.experiments.vocoders.channels import Channel, channels
from musemo_hf.experiments.vocoders.measurement import measure, measure_conversion, read_songs
from musemo_hf.experiments.vocoders.page import write_page
from musemo_hf.experiments.vocoders.players import write_players
from musemo_hf.files import atomic_write
from musemo_hf.pipelines.embedders.yamnet import yamnet_embedder
from musemo_hf.pipelines.vocoders.load import load_vocoder

DOCS = Path(__file__).resolve().parent.parent / "docs"


def main() -> None:
    """Read the songs, measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("songs", type=Path, help="The folder of songs.")
    parser.add_argument("--n-songs", type=int, help="The largest number of songs (default: all).")
    parser.add_argument("--corpus", default="songs of one folder", help="What the page calls the songs.")
    what = "The folder or repository of a vocoder to measure too; may be repeated."
    parser.add_argument("--vocoder", action="append", default=[], metavar="PATH_OR_REPO", help=what)
    parser.add_argument("--without-embedder", action="store_true", help="Leave out the figures by YAMNet.")
    parser.add_argument("--output-dir", type=Path, default=DOCS, help="The folder of the page.")
    what = "A file to write the numbers to; the channels of which it has some are not measured again."
    parser.add_argument("--json", type=Path, help=what)
    parser.add_argument("--report-only", action="store_true", help="Write the page of the numbers in --json.")
    parser.add_argument("--sounds", type=Path, metavar="DIR", help="A folder for three songs and a page of players.")
    arguments = parser.parse_args()
    if arguments.report_only and arguments.json is None:
        parser.error("--report-only needs --json")
    ways = channels({Path(name).name: load_vocoder(name) for name in arguments.vocoder})
    if arguments.report_only:
        results = json.loads(arguments.json.read_text(encoding="utf-8"))
    else:
        results = _measure(arguments, ways)
    words = [f"python training/measure_vocoder.py SONGS --corpus {shlex.quote(arguments.corpus)}"]
    words += [f"--vocoder {name}" for name in arguments.vocoder]
    words += [f"--n-songs {arguments.n_songs}"] if arguments.n_songs else []
    print(f"page: {write_page(results, ways, arguments.output_dir, ' '.join(words), arguments.corpus)}")


def _measure(arguments: argparse.Namespace, ways: dict[str, Channel]) -> dict[str, Any]:
    songs = read_songs(arguments.songs, arguments.n_songs)
    folder = embedded_checkpoint("recogniser")
    recogniser = MusemoViTForEmotionRegression.from_pretrained(folder), MusemoFeatureExtractor.from_pretrained(folder)
    embedder = None if arguments.without_embedder else yamnet_embedder()
    path = arguments.json
    known = json.loads(path.read_text(encoding="utf-8")) if path is not None and path.is_file() else None
    conversion = known["conversion"] if known else measure_conversion(arguments.songs)
    results = measure(songs, ways, embedder, recogniser, known=known) | {"conversion": conversion}
    if arguments.json is not None:
        atomic_write(arguments.json, json.dumps(results, indent=1))
    if arguments.sounds is not None:
        print(f"players: {write_players(songs, ways, arguments.sounds)}")
    return results


if __name__ == "__main__":
    main()

"""Five emotions to listen to: a real song of each, the same song through the log-mel, and a generated song."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.audio.loudness import write_playback
from musemo_hf.data.deam.recordings import read_recordings
from musemo_hf.experiments.ablation.ablation import Ablation
from musemo_hf.experiments.ablation.split_work import SplitWork
from musemo_hf.files import atomic_path
from musemo_hf.pipelines.emotion_to_music import PRESETS, MusemoPipeline
from musemo_hf.pipelines.song import Song
from musemo_hf.reporting.figures import spectrogram_grid

FOLDER = "sounds"  # beside the page: recordings of real songs are not for publication
REAL, RESYNTHESISED, GENERATED = "real song", "real song, re-synthesised from its log-mel", "generated song"


@dataclass(frozen=True)
class Example:
    """A real song and a generated song of one preset.

    Attributes:
        preset: The name of the preset.
        song_id: The id of the test song whose emotion is nearest to the preset.
        emotion: The emotion of that song, (valence, arousal) in [-1, 1].
        real: The log-mel of that song in dB `(n_mels, n_frames)`.
        resynthesised: The samples that inversion makes of it `(samples,)`.
        generated: The song that the generator makes at the preset, with seed 0.
    """

    preset: str
    song_id: int
    emotion: tuple[float, float]
    real: np.ndarray
    resynthesised: np.ndarray
    generated: Song


def make_examples(ablation: Ablation) -> list[Example]:
    """Make an example of each preset with the first split's generator; none without a generator."""
    work = next((work for split in ablation.splits if (work := SplitWork(ablation, split)).generator.trained), None)
    if work is None:
        return []
    extractor = MusemoFeatureExtractor.from_pretrained(work.dir / "generator")
    pipeline = MusemoPipeline(work.generator.model.cpu(), extractor)
    pipeline.set_progress_bar_config(disable=True)
    labels = ablation.songs.emotion[work.split.test]
    examples = []
    for preset, point in PRESETS.items():
        index = int(work.split.test[int(np.linalg.norm(labels - np.array(point), axis=1).argmin())])
        real = ablation.songs.spectrogram[index]
        valence, arousal = map(float, ablation.songs.emotion[index])
        examples.append(
            Example(
                preset=preset,
                song_id=int(ablation.songs.song_id[index]),
                emotion=(valence, arousal),
                real=real,
                resynthesised=extractor.invert(extractor.from_decibels(real[None, None]))[0].numpy(),
                generated=pipeline(*point, seed=0).songs[0],
            )
        )
    return examples


def draw_examples(examples: list[Example]) -> Figure:
    """Draw the spectrogram of each generated song below that of the real song."""
    titles = []
    for example in examples:
        asked, real = PRESETS[example.preset], example.emotion
        titles.append(f"{example.preset} ({asked[0]:+.1f}, {asked[1]:+.1f})\nreal: ({real[0]:+.1f}, {real[1]:+.1f})")
    rows = {
        "real": [example.real for example in examples],
        "generated": [example.generated.spectrogram for example in examples],
    }
    return spectrogram_grid(rows, titles)


def write_players(
    folder: Path, examples: list[Example], config_name: str, data_dir: str | Path | None = None
) -> dict[str, dict[str, str]]:
    """Write the sounds as mp3 into a folder beside the page, all at the one gain of the project.

    Args:
        folder: The folder of the page.
        examples: The result of `make_examples`.
        config_name: The configuration that chose the excerpts.
        data_dir: The folder of the songs, see `read_recordings`.

    Returns:
        The path of each sound, relative to the page, by preset and kind of sound.
    """
    recordings = read_recordings(data_dir, config_name, {example.song_id for example in examples})
    players: dict[str, dict[str, str]] = {}
    for example in examples:
        rate = example.generated.sampling_rate
        sounds = {
            REAL: recordings.get(example.song_id),
            RESYNTHESISED: example.resynthesised,
            GENERATED: example.generated.audio,
        }
        kinds = zip(("real", "resynthesised", "generated"), sounds.items(), strict=True)
        players[example.preset] = {}
        for kind, (title, samples) in kinds:
            if samples is None:
                continue
            path = Path(FOLDER) / f"{example.preset.split()[0]}-{kind}.mp3"
            (folder / FOLDER).mkdir(parents=True, exist_ok=True)
            with atomic_path(folder / path) as part:
                write_playback(part, samples, rate, "MP3")
            players[example.preset][title] = path.as_posix()
    return players

"""The demonstration corpus: melodies in the public domain, laid out as DEAM is, for a machine that has no DEAM.

Synthetic instruments play the melodies so that each performance expresses a given emotion by published rules. Figures
on it say whether a model learns these rules; they say nothing about how people hear recorded music.
"""

import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile
from tqdm.auto import tqdm

from musemo_hf.data.deam.layout import ANNOTATION_FILES, METADATA_FILES
from musemo_hf.data.deam.table_writer import ANNOTATION_HEADERS, METADATA_HEADERS, write_csv
from musemo_hf.data.demo_performance import draw_performance, play
from musemo_hf.data.demo_scores import Score, demo_scores
from musemo_hf.data.demo_synthesis import SAMPLING_RATE, Instrument, draw_instrument, synthesise
from musemo_hf.files import atomic_path, atomic_write, cache_folder

logger = logging.getLogger(__name__)

VERSION = 2  # raised when the same parameters render other bytes
MANIFEST = "demo_corpus.json"
SONGS_A_PIECE = 2.5  # at least; a corpus of more songs than 2.5 times the melodies has more of each
DEVIATION = 1.0  # of the ratings on DEAM's scale of 1-9, which DEAM's tables need: nobody rated these songs


def demo_parameters(n_songs: int = 240, duration: float = 10.3, seed: int = 0) -> dict[str, float]:
    """Return the parameters that determine each byte of a corpus, which `demo_corpus.json` beside it holds."""
    return {"version": VERSION, "n_songs": n_songs, "duration": duration, "seed": seed}


def demo_corpus_path(n_songs: int = 240, duration: float = 10.3, seed: int = 0) -> Path:
    """Return the folder of a corpus of these parameters, under `$MUSEMO_CACHE` or `~/.cache/musemo_hf`."""
    return cache_folder() / f"demo-v{VERSION}-{n_songs}x{duration:g}s-seed{seed}"


def demo_corpus_dir(n_songs: int = 240, duration: float = 10.3, seed: int = 0) -> Path:
    """Return the folder of a corpus of these parameters, and render the corpus if it is not there yet."""
    return render_demo_corpus(demo_corpus_path(n_songs, duration, seed), n_songs, duration, seed)


def render_demo_corpus(folder: str | Path, n_songs: int = 240, duration: float = 10.3, seed: int = 0) -> Path:
    """Render a corpus: mp3s, annotations and metadata in DEAM's flat layout.

    Tempo, mode, register, loudness, brightness, articulation and attack follow valence and arousal, with scatter. The
    label of a song is the emotion that it was made for. A piece stands for an artist, so that folds are disjoint by
    piece; its performances differ in emotion and instrument. Songs that are there already are kept, so that an
    interrupted rendering resumes.

    Args:
        folder: An empty or missing folder, or one with a corpus of the same parameters.
        n_songs: The number of songs, 1 to 1,050.
        duration: The length of each song in seconds.
        seed: The seed of all random draws.

    Returns:
        The folder.

    Raises:
        ValueError: A parameter is out of range, or the folder holds something else.
    """
    if not 1 <= n_songs <= 1050 or not duration > 0:
        raise ValueError(f"expected 1 to 1050 songs of more than 0 s, got {n_songs} of {duration} s")
    folder = Path(folder).expanduser()
    _open_folder(folder, demo_parameters(n_songs, duration, seed))
    ids = _song_ids(n_songs)
    emotions = _draw_emotions(n_songs, seed)
    scores = [demo_scores()[piece] for piece in _draw_pieces(n_songs, seed)]
    instruments = [draw_instrument(np.random.default_rng((seed, 2, index))) for index in range(n_songs)]
    _write_tables(folder, ids, emotions, scores, instruments)
    missing = [index for index in range(n_songs) if not (folder / "MEMD_audio" / f"{ids[index]}.mp3").exists()]
    if missing:
        logger.warning("rendering %d performances of melodies in the public domain to %s", len(missing), folder)

    def render(index: int) -> None:
        rng = np.random.default_rng((seed, 3, index))
        samples = perform(scores[index], emotions[index], instruments[index], duration, rng)
        _write_mp3(folder / "MEMD_audio" / f"{ids[index]}.mp3", samples)

    pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1))  # most of the time goes to the encoder, outside the GIL
    try:
        for _ in tqdm(pool.map(render, missing), "Rendering demo corpus", len(missing), disable=not missing):
            pass
    finally:
        pool.shutdown(cancel_futures=True)
    return folder


def perform(
    score: Score, emotion: np.ndarray, instrument: Instrument, duration: float, rng: np.random.Generator
) -> np.ndarray:
    """Render a performance of a melody that expresses an emotion.

    Args:
        score: The melody.
        emotion: The (valence, arousal) in [-1, 1], of shape (2,).
        instrument: The instrument that plays it.
        duration: The length in seconds.
        rng: The random generator of the performance.

    Returns:
        float32 `(samples,)` in [-1, 1], mono, at `SAMPLING_RATE`.
    """
    performance = draw_performance(emotion, rng)
    return synthesise(play(score, performance, duration, rng), performance, instrument, duration, rng)


def _open_folder(folder: Path, parameters: dict[str, float]) -> None:
    """Begin a corpus in a new folder, or resume the same corpus; never write into a folder of DEAM."""
    manifest = folder / MANIFEST
    if manifest.exists():
        found = json.loads(manifest.read_text(encoding="utf-8"))
        if found != parameters:
            raise ValueError(f"{folder}: expected a demo corpus of {parameters}, got one of {found}")
    elif folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder}: expected an empty folder or a demo corpus, got other files")
    (folder / "MEMD_audio").mkdir(parents=True, exist_ok=True)
    atomic_write(manifest, json.dumps(parameters))


def _song_ids(n_songs: int) -> list[int]:
    """Return ids above 1000, where published labels are not swapped, up to 50 of them in DEAM's second file."""
    second = min(n_songs // 5, 50)
    return [*range(1001, 1001 + n_songs - second), *range(2001, 2001 + second)]


def _draw_emotions(n_songs: int, seed: int) -> np.ndarray:
    """Draw emotions (n_songs, 2) in [-0.9, 0.9] with about the spread and the correlation of DEAM's."""
    covariance = 0.35**2 * np.array([[1, 0.4], [0.4, 1]])
    drawn = np.random.default_rng((seed, 0)).multivariate_normal(np.zeros(2), covariance, size=n_songs)
    return np.clip(drawn, -0.9, 0.9)


def _draw_pieces(n_songs: int, seed: int) -> np.ndarray:
    """Draw the number of each song's melody `(n_songs,)`; all melodies have about as many songs."""
    n_pieces = min(len(demo_scores()), max(1, round(n_songs / SONGS_A_PIECE)))
    return np.random.default_rng((seed, 1)).permutation(np.arange(n_songs) % n_pieces)


def _write_tables(
    folder: Path, ids: list[int], emotions: np.ndarray, scores: list[Score], instruments: list[Instrument]
) -> None:
    labels: tuple[list, list] = ([], [])
    metadata: tuple[list, list, list] = ([], [], [])
    means = (5 + 4 * emotions).round(1)
    for number, (valence, arousal), score, instrument in zip(ids, means, scores, instruments, strict=True):
        name, title, family = score.name, f"{score.title}, performance {number}", instrument.family
        of_valence, of_arousal = (valence, DEVIATION), (arousal, DEVIATION)
        if number <= 2000:
            labels[0].append((number, *of_valence, *of_arousal))
            metadata[1].append((number, name, score.source, title, family))
        else:  # DEAM's second file has maxima and minima in between; here they repeat the mean
            labels[1].append((number, *of_valence * 3, *of_arousal * 3))
            metadata[2].append((number, title, name, score.source, family))
    for file, header, rows in zip(ANNOTATION_FILES, ANNOTATION_HEADERS, labels, strict=True):
        write_csv(folder / "annotations" / file, header, rows)
    for file, header, rows in zip(METADATA_FILES, METADATA_HEADERS, metadata, strict=True):
        write_csv(folder / "metadata" / file, header, rows)


def _write_mp3(path: Path, samples: np.ndarray) -> None:
    with atomic_path(path) as part:
        soundfile.write(part, samples, SAMPLING_RATE, format="MP3")

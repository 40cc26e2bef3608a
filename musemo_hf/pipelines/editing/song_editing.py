"""From a given song: variations, continuation and infilling, and a walk through emotions of any length.

The class is pushed to the Hub with the pipeline's code.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from musemo_hf.audio.mel import log_mel, normalise
from musemo_hf.models.flow.generation import expand_seeds
from musemo_hf.models.unet.genres import genre_shares
from musemo_hf.pipelines.song import Song


class SongEditingMixin:
    """Adds `vary`, `extend`, `infill` and `journey` to `MusemoPipeline`, for a generator that can change songs.

    A song is a `Song`, a file (a path, bytes or an open file), or samples with their `sampling_rate` in Hz. Further
    arguments of all methods (`options`) are `num_inference_steps`, `guidance_scale`, `conditions` and `genre` as in a
    call; `generator` and `output_type` are those of a call too.
    """

    generator: Any
    feature_extractor: Any

    @torch.no_grad()
    def vary(
        self,
        song: Any,
        valence: float | Sequence[float],
        arousal: float | Sequence[float],
        strength: float = 0.5,
        seed: int | Sequence[int] | None = None,
        sampling_rate: float | None = None,
        n_iter: int = 32,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "np",
        **options: Any,
    ) -> Any:
        """Make a variation of a song for each emotion.

        Args:
            song: The song.
            valence: One value in [-1, 1], or a sequence.
            arousal: One value in [-1, 1], or a sequence as long as that of `valence`.
            strength: How far the song is changed, in [0, 1]: 0 returns it, and 1 keeps nothing of it.
            seed: An integer gives the i-th variation the seed `seed + i`; a sequence gives each its own.
            sampling_rate: The sampling rate of samples in Hz.
            n_iter: The number of Griffin-Lim iterations.
            generator: A random generator from which the seed of each variation is drawn, or a list with one for each;
                instead of `seed`.
            output_type: "np", "pt" or "latent", as in a call.
            **options: See the class.

        Raises:
            ValueError: The strength is outside [0, 1], the emotions are outside [-1, 1] or of unequal length, or the
                generator cannot change songs.
            AudioDecodingError: A file is not audio.
        """
        emotion, seeds, mel = self._edited(song, valence, arousal, seed, generator, sampling_rate, output_type)
        mels = self.generator.vary(
            mel, emotion, strength, seeds, **with_conditions(options, len(emotion), self.generator)
        )
        return self._sung(mels, emotion, seeds, n_iter, output_type)  # type: ignore[attr-defined]

    @torch.no_grad()
    def extend(
        self,
        song: Any,
        seconds: float,
        valence: float | Sequence[float],
        arousal: float | Sequence[float],
        seed: int | Sequence[int] | None = None,
        sampling_rate: float | None = None,
        n_iter: int = 32,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "np",
        **options: Any,
    ) -> Any:
        """Continue a song by some seconds of each emotion; the result begins with the song.

        Args:
            song: The song.
            seconds: The duration of what is added in s.
            valence: See `vary`.
            arousal: See `vary`.
            seed: See `vary`.
            sampling_rate: See `vary`.
            n_iter: See `vary`.
            generator: See `vary`.
            output_type: See `vary`.
            **options: See the class; and `context` and `repeats` of the generator's `extend`.

        Raises:
            ValueError: The song is too short to continue, the seconds are less than a frame, or as in `vary`.
        """
        emotion, seeds, mel = self._edited(song, valence, arousal, seed, generator, sampling_rate, output_type)
        mels = self.generator.extend(
            mel,
            self._frames("seconds", seconds),
            emotion,
            seeds,
            **with_conditions(options, len(emotion), self.generator),
        )
        return self._sung(mels, emotion, seeds, n_iter, output_type)  # type: ignore[attr-defined]

    @torch.no_grad()
    def infill(
        self,
        song: Any,
        start: float,
        end: float,
        valence: float | Sequence[float],
        arousal: float | Sequence[float],
        seed: int | Sequence[int] | None = None,
        sampling_rate: float | None = None,
        n_iter: int = 32,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "np",
        **options: Any,
    ) -> Any:
        """Make a part of a song anew, so that it fits what is before and after it.

        Args:
            song: The song.
            start: The beginning of the part in s.
            end: The end of the part in s.
            valence: See `vary`.
            arousal: See `vary`.
            seed: See `vary`.
            sampling_rate: See `vary`.
            n_iter: See `vary`.
            generator: See `vary`.
            output_type: See `vary`.
            **options: See the class; and `repeats` of the generator's `infill`.

        Raises:
            ValueError: The part is not within the song or is all of it, or as in `vary`.
        """
        emotion, seeds, mel = self._edited(song, valence, arousal, seed, generator, sampling_rate, output_type)
        rate = self.feature_extractor.sampling_rate / self.feature_extractor.hop_length
        if not 0 <= start < end <= mel.shape[-1] / rate:
            raise ValueError(f"expected a part within 0 to {mel.shape[-1] / rate:.2f} s, got {start} to {end}")
        place = (torch.arange(mel.shape[-1]) + 0.5) / rate
        mels = self.generator.infill(
            mel,
            (place >= start) & (place < end),
            emotion,
            seeds,
            **with_conditions(options, len(emotion), self.generator),
        )
        return self._sung(mels, emotion, seeds, n_iter, output_type)  # type: ignore[attr-defined]

    @torch.no_grad()
    def journey(
        self,
        valence: Sequence[float],
        arousal: Sequence[float],
        seconds: float = 60.0,
        seed: int | None = None,
        n_iter: int = 32,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "np",
        **options: Any,
    ) -> Any:
        """Make one song that goes through emotions, each for as long; each part is fitted to what is before it.

        Args:
            valence: The values in [-1, 1], in their order in time.
            arousal: The values in [-1, 1], as many.
            seconds: The duration of the song in s.
            seed: The seed of the song.
            n_iter: The number of Griffin-Lim iterations.
            generator: A random generator from which the seed is drawn, instead of `seed`.
            output_type: See `vary`.
            **options: See the class, where a condition or a genre is one for the song or one for each emotion; and
                `context` and `repeats` of the generator's `extend`.

        Returns:
            The song, of the mean emotion.

        Raises:
            ValueError: The emotions are outside [-1, 1] or of unequal length, there are not as many seconds as an
                emotion needs, or the generator cannot change songs.
        """
        self._check_asked(output_type)
        emotion = self._emotions(valence, arousal)  # type: ignore[attr-defined]
        first = song_seeds(seed, generator, 1)[0]
        options = with_conditions(options, len(emotion), self.generator)
        wishes = options.pop("conditions", None) or {}
        parts = [{name: values[i : i + 1] for name, values in wishes.items()} for i in range(len(emotion))]
        ends = torch.linspace(0, self._frames("seconds", seconds), len(emotion) + 1).round().long()[1:].tolist()
        begun = {name: value for name, value in options.items() if name not in ("context", "repeats")}
        mel = self.generator.generate(emotion[:1], seed=first, conditions=parts[0], **begun)[..., : ends[0]]
        for number, end in enumerate(ends):
            if (missing := end - mel.shape[-1]) > 0:
                asked = emotion[number : number + 1]
                mel = self.generator.extend(mel, missing, asked, first + number, conditions=parts[number], **options)
        emotion = emotion.mean(dim=0, keepdim=True)
        return self._sung(mel, emotion, [first], n_iter, output_type)  # type: ignore[attr-defined]

    def _edited(
        self, song: Any, valence: Any, arousal: Any, seed: Any, generator: Any, sampling_rate: Any, output_type: str
    ) -> tuple[torch.Tensor, list[int], torch.Tensor]:
        """Return checked emotions `(B, 2)`, B seeds, and B times the song, `(B, 1, n_mels, frames)`."""
        self._check_asked(output_type)
        emotion = self._emotions(valence, arousal)  # type: ignore[attr-defined]
        extractor = self.feature_extractor
        if isinstance(song, Song):
            mel = extractor.from_decibels(song.spectrogram)
        else:
            samples = torch.from_numpy(extractor.load(song, sampling_rate).samples)
            mel = normalise(log_mel(samples, extractor.settings), extractor.settings)
        seeds = song_seeds(seed, generator, len(emotion))
        return emotion, seeds, mel.float()[None, None].expand(len(emotion), -1, -1, -1)

    def _check_asked(self, output_type: str) -> None:
        self._check_output_type(output_type)  # type: ignore[attr-defined]
        if not hasattr(self.generator, "infill"):
            raise ValueError(f"expected a generator that changes songs, a U-Net, got a {type(self.generator).__name__}")

    def _frames(self, name: str, seconds: float) -> int:
        extractor = self.feature_extractor
        n_frames = seconds * extractor.sampling_rate / extractor.hop_length
        if not 1 <= n_frames < 2**24:
            raise ValueError(f"expected {name} of at least one frame, and at most days, got {seconds}")
        return round(n_frames)


def song_seeds(
    seed: int | Sequence[int] | None, generator: torch.Generator | Sequence[torch.Generator] | None, n_songs: int
) -> list[int]:
    """Return the seed of each song, drawn from random generators where these are given.

    Args:
        seed: See `expand_seeds`.
        generator: A random generator, or one for each song; None for the seeds.
        n_songs: The number of songs.

    Raises:
        ValueError: Both are given, or there are neither one nor as many as songs.
    """
    if generator is None:
        return expand_seeds(seed, n_songs)
    if seed is not None:
        raise ValueError("expected seed or generator, got both")
    each = [generator] * n_songs if isinstance(generator, torch.Generator) else list(generator)
    if len(each) != n_songs or not all(isinstance(one, torch.Generator) for one in each):
        got = ", ".join(sorted({type(one).__name__ for one in each})) or "none"
        raise ValueError(f"expected one torch.Generator, or {n_songs} of them, got {len(each)} ({got})")
    return [int(torch.randint(2**31, (1,), generator=one, device=one.device)) for one in each]


def with_conditions(options: Mapping[str, Any], n_songs: int, generator: Any) -> dict[str, Any]:
    """Return options of a generator with each of its `conditions` as a tensor `(n_songs,)`, and the genre among them.

    Args:
        options: The options, in which a condition is one number or as many as songs, and `genre` one name or as many.
        n_songs: The number of songs.
        generator: The generator.

    Raises:
        ValueError: There are neither one value of a condition nor as many as songs, or the generator does not know the
            genre.
    """
    options = dict(options)
    genre = options.pop("genre", None)
    conditions = {}
    for name, value in (options.get("conditions") or {}).items():
        values = torch.as_tensor(value, dtype=torch.float32)
        if values.shape not in ((), (n_songs,)):
            raise ValueError(f"expected one value of {name} or {n_songs}, one for each song, got {tuple(values.shape)}")
        conditions[name] = values.expand(n_songs)
    if genre is not None:
        conditions["genre"] = _genre_shares(genre, n_songs, generator)
    return {**options, "conditions": conditions} if conditions else options


def _genre_shares(genre: str | Sequence[str | None], n_songs: int, generator: Any) -> torch.Tensor:
    names = [genre] * n_songs if isinstance(genre, str) else list(genre)
    if len(names) != n_songs:
        raise ValueError(f"expected one genre or {n_songs}, one for each song, got {len(names)}")
    if not (known := getattr(generator.config, "genres", ())):
        raise ValueError(f"expected no genre for a generator that was trained without genres, got {genre!r}")
    return genre_shares(known, names)

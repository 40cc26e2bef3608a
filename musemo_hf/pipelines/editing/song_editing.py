"""From a given song: variations, continuation and infilling, and a walk through emotions of any length.

The class is pushed to the Hub with the pipeline's code.
"""

from collections.abc import Sequence
from typing import Any

import torch

from musemo_hf.audio.mel import log_mel, normalise
from musemo_hf.models.flow.generation import expand_seeds, is_number
from musemo_hf.pipelines.song import Song
from musemo_hf.pipelines.steering.steering import with_conditions


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
            **options: See the class; and `repeats` and `keeps_emotion` of the generator's `infill`.

        Raises:
            ValueError: The part is not within the song or is all of it, or as in `vary`.
        """
        emotion, seeds, mel = self._edited(song, valence, arousal, seed, generator, sampling_rate, output_type)
        rate = self.feature_extractor.sampling_rate / self.feature_extractor.hop_length
        length = mel.shape[-1] / rate
        if not (is_number(start, 0, length) and is_number(end, 0, length) and start < end):
            raise ValueError(f"expected a part within 0 to {length:.2f} s, got {start!r} to {end!r}")
        place = (torch.arange(mel.shape[-1]) + 0.5) / rate
        unknown = (place >= start) & (place < end)
        if not unknown.any():
            raise ValueError(
                f"expected a part as long as a frame, {1 / rate:.3f} s, got {start} to {end}, in which no frame lies"
            )
        mels = self.generator.infill(
            mel,
            unknown,
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
        n_frames, shortest = self._frames("seconds", seconds), self.generator.network.frame_multiple
        if n_frames < shortest * len(emotion):
            each = self._seconds(shortest)
            raise ValueError(
                f"expected at least {each:.2f} s for each of {len(emotion)} emotions, {each * len(emotion):.2f} s in "
                f"all, got {seconds} s"
            )
        options = with_conditions(options, len(emotion), self.generator)
        wishes = options.pop("conditions", None) or {}
        parts = [{name: values[i : i + 1] for name, values in wishes.items()} for i in range(len(emotion))]
        ends = torch.linspace(0, n_frames, len(emotion) + 1).round().long()[1:].tolist()
        begun = {name: value for name, value in options.items() if name not in ("context", "repeats", "keeps_emotion")}
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
        if mel.shape[-1] < (shortest := self.generator.network.frame_multiple):
            got = f"{self._seconds(mel.shape[-1]):.2f} s ({mel.shape[-1]})"
            raise ValueError(
                f"expected a song of at least {self._seconds(shortest):.2f} s ({shortest} frames), got {got}"
            )
        seeds = song_seeds(seed, generator, len(emotion))
        return emotion, seeds, mel.float()[None, None].expand(len(emotion), -1, -1, -1)

    def _check_asked(self, output_type: str) -> None:
        self._check_output_type(output_type)  # type: ignore[attr-defined]
        if not hasattr(self.generator, "infill"):
            raise ValueError(f"expected a generator that changes songs, a U-Net, got a {type(self.generator).__name__}")

    def _frames(self, name: str, seconds: float) -> int:
        extractor = self.feature_extractor
        rate = extractor.sampling_rate / extractor.hop_length
        if not is_number(seconds, 1 / rate, 2**24 / rate):
            raise ValueError(f"expected {name} of at least one frame, and at most days, got {seconds!r}")
        return round(seconds * rate)

    def _seconds(self, n_frames: int) -> float:
        return n_frames * self.feature_extractor.hop_length / self.feature_extractor.sampling_rate


def song_seeds(seed: Any, generator: Any, n_songs: int) -> list[int]:
    """Return the seed of each song, drawn from random generators where these are given.

    Args:
        seed: See `expand_seeds`.
        generator: A `torch.Generator`, or one for each song; None for the seeds.
        n_songs: The number of songs.

    Raises:
        ValueError: Both are given, or there are neither one nor as many as songs.
    """
    if generator is None:
        return expand_seeds(seed, n_songs)
    if seed is not None:
        raise ValueError("expected seed or generator, got both")
    single = isinstance(generator, torch.Generator)
    if not single and not isinstance(generator, Sequence):
        raise ValueError(f"expected one torch.Generator, or {n_songs} of them, got {generator!r}")
    each = [generator] * n_songs if single else list(generator)
    if len(each) != n_songs or not all(isinstance(one, torch.Generator) for one in each):
        got = ", ".join(sorted({type(one).__name__ for one in each})) or "none"
        raise ValueError(f"expected one torch.Generator, or {n_songs} of them, got {len(each)} ({got})")
    return [int(torch.randint(2**31, (1,), generator=one, device=one.device)) for one in each]

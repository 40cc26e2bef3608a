"""Music to emotion, as a transformers pipeline; this file is pushed to the Hub as it stands."""

from collections.abc import Iterator
from typing import Any

import httpx
import torch
from torch import Tensor
from transformers.pipelines.base import ChunkPipeline

TASK = "music-emotion-recognition"
NORMAL_95 = 1.96  # standard deviations of a normal distribution's 95 % interval
INTERVALS = {
    "deviation": "95 %, from the deviation predicted for each window, calibrated",
    "error": "95 %, from one error for all songs, measured on other artists",
}


class MusicToEmotionPipeline(ChunkPipeline):
    """Predicts valence and arousal of music, from its beginning to its end.

    A song is read in overlapping windows as long as the model's clips; its prediction is the mean of theirs.

    Example:
        >>> from transformers import pipeline
        >>> recognise = pipeline(model="<user>/musemo-recogniser", trust_remote_code=True)
        >>> recognise("song.mp3")  # doctest: +SKIP
        {'valence': 0.21, 'arousal': -0.35}
    """

    _load_processor = False
    _load_image_processor = False
    _load_feature_extractor = True
    _load_tokenizer = False
    default_input_names = "audio"

    def __call__(self, inputs: Any, sampling_rate: Any = None, hop_seconds: float | None = None, **kwargs: Any) -> Any:
        """Predict the emotion of one song, or of many.

        Args:
            inputs: A path, a URL, the bytes of a file, an array of samples (mono, or `(samples, channels)`), a dict
                with `raw` or `array` and `sampling_rate`, a row of a data set or its audio, or a list of these.
            sampling_rate: The sampling rate of arrays in Hz; files and dicts carry their own.
            hop_seconds: The largest distance of two windows in s; None for half a window.
            **kwargs: The arguments of every transformers pipeline, `batch_size` (of windows) and `num_workers`.

        Returns:
            `{"valence": float, "arousal": float}`, each in [-1, 1], or a list of them for a list. A calibrated
            recogniser adds `valence_interval` and `arousal_interval`, 95 % intervals `[low, high]` within [-1, 1] of
            the raters' mean, and `interval`, their source: a deviation predicted for each window (`uncertainty` and
            `deviation_scale` in the configuration), or one error for all songs (`emotion_error`). Audio that is
            doubtful, such as silence, adds `notes`, a list of sentences. A recogniser with an external embedder adds
            `embedder`, its name.

        Raises:
            ValueError: The list is empty, an array has no sampling rate, an input is not audio, or a URL has none.
            FileNotFoundError: The file does not exist.
            OSError: The recogniser has an external embedder, and its package or its file is missing.
        """
        if isinstance(inputs, (list, tuple)) and not inputs:
            raise ValueError("expected at least one clip, got an empty list")
        return super().__call__(inputs, sampling_rate=sampling_rate, hop_seconds=hop_seconds, **kwargs)

    def _sanitize_parameters(
        self, sampling_rate: Any = None, hop_seconds: float | None = None, **unknown: Any
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        if unknown:
            raise TypeError(
                f"expected no arguments but sampling_rate and hop_seconds, got {', '.join(sorted(unknown))}"
            )
        given = {"sampling_rate": sampling_rate, "hop_seconds": hop_seconds}
        return {name: value for name, value in given.items() if value is not None}, {}, {}

    def preprocess(
        self, input_: Any, sampling_rate: Any = None, hop_seconds: float | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the normalised log-mel `(1, 1, n_mels, n_frames)` of each window of a song."""
        if isinstance(input_, str) and input_.startswith(("http://", "https://")):
            input_ = _fetch(input_)
        loaded = self.feature_extractor.load(input_, sampling_rate)
        rate, starts = loaded.sampling_rate, self.feature_extractor.window_starts(len(loaded.samples), hop_seconds)
        length = self.feature_extractor.settings.n_samples(self.feature_extractor.n_frames)
        for start in starts:
            window = loaded.samples[start : start + length]
            clip = self.feature_extractor(window, sampling_rate=rate)
            embedding = {} if self._embedder is None else {"embedding": _embed(self._embedder, window, rate)}
            notes = {"notes": loaded.notes, "is_last": start == starts[-1]}
            yield {"spectrogram": clip["spectrogram"], **embedding, **notes}

    def _forward(self, model_inputs: dict[str, Any], **_: Any) -> dict[str, Any]:
        embedding = {} if self._embedder is None else {"embedding": model_inputs["embedding"]}
        output = self.model(spectrogram=model_inputs["spectrogram"].to(self.model.dtype), **embedding)
        emotion, source = output.emotion.float(), self._interval_source()
        outputs = {"emotion": emotion, "notes": model_inputs["notes"], "is_last": model_inputs["is_last"]}
        if source == "deviation":
            outputs["deviation"] = output.deviation.float()
        elif source == "error":
            outputs["deviation"] = emotion.new_tensor(self.model.config.emotion_error).expand_as(emotion)
        return outputs

    @property
    def _embedder(self) -> str | None:
        """The name of the external embedder that the recogniser needs."""
        return getattr(self.model.config, "embedder", None)

    def _interval_source(self) -> str | None:
        config = self.model.config
        if getattr(config, "uncertainty", False) and config.deviation_scale is not None:
            return "deviation"
        return None if config.emotion_error is None else "error"

    def postprocess(self, model_outputs: list[dict[str, Any]], **_: Any) -> dict[str, Any]:
        """Return the prediction of one song as a dict, within the plane."""
        emotion = _mean(model_outputs, "emotion", limit=1.0)
        answer: dict[str, Any] = dict(zip(("valence", "arousal"), emotion.tolist(), strict=True))
        if (source := self._interval_source()) is not None:
            half = NORMAL_95 * _mean(model_outputs, "deviation")
            ends = torch.stack([emotion - half, emotion + half], dim=1).clamp(-1, 1).tolist()
            answer |= {"valence_interval": ends[0], "arousal_interval": ends[1], "interval": INTERVALS[source]}
        if self._embedder is not None:
            answer["embedder"] = self._embedder
        return answer | ({"notes": list(notes)} if (notes := model_outputs[0]["notes"]) else {})


def _mean(outputs: list[dict[str, Any]], name: str, limit: float = float("inf")) -> Tensor:
    """Return the mean over windows of (valence, arousal), `(2,)`, each clipped to `limit` before."""
    return torch.cat([output[name].reshape(1, 2) for output in outputs]).clamp(-limit, limit).mean(dim=0)


def _embed(name: str, samples: Any, sampling_rate: int) -> Tensor:
    """Return the features of a window of audio `(1, D)`."""
    try:
        from musemo_hf.pipelines.embedders.find import find_embedder
    except ImportError as error:
        raise OSError(
            f"this recogniser needs the embedder {name}: expected the package musemo_hf, found none; install it with "
            "`pip install 'musemo-hf[yamnet]'`"
        ) from error
    embedder: Any = find_embedder(name)
    return torch.from_numpy(embedder.embed_audio([samples], sampling_rate)).float()


def _fetch(url: str) -> bytes:
    """Fetch a file, as the audio pipelines of transformers do."""
    try:
        response = httpx.get(url, follow_redirects=True, timeout=30)
        return response.raise_for_status().content
    except httpx.HTTPError as error:
        raise ValueError(f"{url}: expected an audio file, got: {error}") from error

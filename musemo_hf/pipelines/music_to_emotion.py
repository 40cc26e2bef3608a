"""Music to emotion, as a transformers pipeline; this file is pushed to the Hub as it stands."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import Pipeline

TASK = "music-emotion-recognition"
NORMAL_95 = 1.96  # standard deviations of a normal distribution's 95 % interval
INTERVALS = {
    "deviation": "95 %, from the deviation predicted for this clip, calibrated",
    "error": "95 %, from one error for all clips, measured on other artists",
}


class MusicToEmotionPipeline(Pipeline):
    """Predicts valence and arousal of music.

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

    def __call__(self, inputs: Any, sampling_rate: int | None = None, **kwargs: Any) -> Any:
        """Predict the emotion of one clip, or of many.

        Args:
            inputs: A path, an array of samples (mono, or `(samples, channels)`), a dict with `array` and
                `sampling_rate` (a row of a data set), or a list of these.
            sampling_rate: The sampling rate of arrays in Hz; files and dicts carry their own.
            **kwargs: The arguments of every transformers pipeline, `batch_size` and `num_workers`.

        Returns:
            `{"valence": float, "arousal": float}`, each in [-1, 1], or a list of them for a list. A calibrated
            recogniser adds `valence_interval` and `arousal_interval`, 95 % intervals `[low, high]` within [-1, 1] of
            the raters' mean, and `interval`, their source: a deviation predicted for this clip (`uncertainty` and
            `deviation_scale` in the configuration), or one error for all clips (`emotion_error`).

        Raises:
            ValueError: The list is empty, an array has no sampling rate, or an input is not audio.
            FileNotFoundError: The file does not exist.
        """
        if isinstance(inputs, (list, tuple)) and not inputs:
            raise ValueError("expected at least one clip, got an empty list")
        return super().__call__(inputs, sampling_rate=sampling_rate, **kwargs)

    def _sanitize_parameters(
        self, sampling_rate: int | None = None, **unknown: Any
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        if unknown:
            raise TypeError(f"expected no argument but sampling_rate, got {', '.join(sorted(unknown))}")
        return ({} if sampling_rate is None else {"sampling_rate": sampling_rate}), {}, {}

    def preprocess(self, input_: Any, sampling_rate: int | None = None) -> dict[str, Tensor]:
        """Return the normalised log-mel `(1, 1, n_mels, n_frames)` of one clip."""
        if isinstance(input_, dict):
            missing = {"array", "sampling_rate"} - set(input_)
            if missing:
                raise ValueError(f"expected a dict with array and sampling_rate, got the keys {sorted(input_)}")
            input_, sampling_rate = input_["array"], input_["sampling_rate"]
        if not isinstance(input_, (str, Path, np.ndarray, Tensor)):
            raise ValueError(f"expected a path, an array of samples or a dict of them, got {type(input_).__name__}")
        return {"spectrogram": self.feature_extractor(input_, sampling_rate=sampling_rate)["spectrogram"]}

    def _forward(self, model_inputs: dict[str, Tensor], **_: Any) -> dict[str, Tensor]:
        output = self.model(spectrogram=model_inputs["spectrogram"])
        source = self._interval_source()
        if source == "deviation":
            return {"emotion": output.emotion, "deviation": output.deviation}
        if source == "error":
            error = output.emotion.new_tensor(self.model.config.emotion_error)
            return {"emotion": output.emotion, "deviation": error.expand_as(output.emotion)}
        return {"emotion": output.emotion}

    def _interval_source(self) -> str | None:
        config = self.model.config
        if getattr(config, "uncertainty", False) and config.deviation_scale is not None:
            return "deviation"
        return None if config.emotion_error is None else "error"

    def postprocess(self, model_outputs: dict[str, Tensor], **_: Any) -> dict[str, Any]:
        """Return the prediction of one clip as a dict, clipped to the plane."""
        emotion = torch.as_tensor(model_outputs["emotion"]).reshape(2).float()
        valence, arousal = emotion.clamp(-1, 1).tolist()
        source = self._interval_source()
        if source is None:
            return {"valence": valence, "arousal": arousal}
        half = NORMAL_95 * torch.as_tensor(model_outputs["deviation"]).reshape(2).float()
        low_high = torch.stack([emotion - half, emotion + half], dim=1).clamp(-1, 1)
        intervals = {"valence_interval": low_high[0].tolist(), "arousal_interval": low_high[1].tolist()}
        return {"valence": valence, "arousal": arousal, **intervals, "interval": INTERVALS[source]}

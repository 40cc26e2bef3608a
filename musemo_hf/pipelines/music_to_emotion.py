"""Audio -> valence and arousal, as a transformers pipeline; ships to the Hub as it stands."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import Pipeline

TASK = "music-emotion-recognition"


class MusicToEmotionPipeline(Pipeline):
    """Reads valence and arousal from music.

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
        """Recognise one clip, or many.

        Args:
            inputs: a path, an array of samples (mono, or `(samples, channels)`), a dict with `array` and
                `sampling_rate` (a row of a data set), or a list of these.
            sampling_rate: of the arrays, Hz; files and dicts carry their own.
            **kwargs: of every transformers pipeline: `batch_size`, `num_workers`.

        Returns:
            `{"valence": float, "arousal": float}`, each in [-1, 1]; a list of them for a list.

        Raises:
            ValueError: an empty list, an array without a sampling rate, or something that is not audio.
            FileNotFoundError: there is no such file.
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
        """One clip -> normalised log-mel `(1, 1, n_mels, n_frames)`."""
        if isinstance(input_, dict):
            missing = {"array", "sampling_rate"} - set(input_)
            if missing:
                raise ValueError(f"expected a dict with array and sampling_rate, got the keys {sorted(input_)}")
            input_, sampling_rate = input_["array"], input_["sampling_rate"]
        if not isinstance(input_, (str, Path, np.ndarray, Tensor)):
            raise ValueError(f"expected a path, an array of samples or a dict of them, got {type(input_).__name__}")
        return {"spectrogram": self.feature_extractor(input_, sampling_rate=sampling_rate)["spectrogram"]}

    def _forward(self, model_inputs: dict[str, Tensor], **_: Any) -> dict[str, Tensor]:
        return {"emotion": self.model(spectrogram=model_inputs["spectrogram"]).emotion}

    def postprocess(self, model_outputs: dict[str, Tensor], **_: Any) -> dict[str, float]:
        """`(1, 2)` -> a dict, clipped to the plane."""
        valence, arousal = torch.as_tensor(model_outputs["emotion"]).reshape(2).float().clamp(-1, 1).tolist()
        return {"valence": valence, "arousal": arousal}

"""A recogniser without a network, loaded without transformers, whose import takes as long as an answer."""

import json
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from musemo_hf.audio.verification import check_values, verify_checksums

MODEL_TYPE = "musemo_vit"
PREFIX = "kernel."


class LightRecogniser(nn.Module):
    """Predicts emotion by the kernel regression of a saved recogniser, as `MusemoViTForEmotionRegression` does.

    Attributes:
        config: The values of the checkpoint's configuration.
        dtype: The precision of its input, float32.
        device: The device of its values.
    """

    dtype = torch.float32

    def __init__(self, values: dict[str, Any], weights: dict[str, Tensor]) -> None:
        super().__init__()
        self.config = SimpleNamespace(**values)
        sizes = self.config.n_frames, self.config.kernel_clips, self.config.kernel_statistics
        self.kernel = _kernel_mixture().KernelMixture(*sizes, self.config.embedding_size)
        self.kernel.load_state_dict({name.removeprefix(PREFIX): value for name, value in weights.items()})

    @property
    def device(self) -> torch.device:
        """The device of the kernel regression's values."""
        return self.kernel.bias.device

    def forward(self, spectrogram: Tensor, embedding: Tensor | None = None) -> SimpleNamespace:
        """Predict; the answer has `emotion` `(B, 2)`, and `deviation`, which is None.

        Args:
            spectrogram: The normalised log-mels `(B, 1, n_mels, n_frames)`.
            embedding: The features `(B, embedding_size)` of the clips' audio, for a recogniser with an embedder.
        """
        return SimpleNamespace(emotion=self.kernel(spectrogram, embedding), deviation=None)


def load_light_recogniser(folder: str | Path) -> LightRecogniser | None:
    """Load a recogniser from a folder; None where it has a network, or is no folder of a recogniser.

    Args:
        folder: The folder of a checkpoint, or the name of a repository, for which the answer is None.

    Raises:
        DamagedFileError: A file differs from the one that was saved.
        ValueError: The values are not those of the configuration, or not finite.
    """
    path = Path(folder) / "config.json"
    if not path.is_file():
        return None
    values = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict) or values.get("model_type") != MODEL_TYPE or values.get("network", True):
        return None
    weights = Path(folder) / "model.safetensors"
    if not weights.is_file():
        return None
    verify_checksums(folder)
    try:
        model = LightRecogniser(values, load_file(weights)).eval()
    except RuntimeError as error:
        raise ValueError(f"{folder}: expected the values of its configuration, got: {error}") from error
    check_values(folder, model)
    return model


def _kernel_mixture() -> Any:
    """Import `models/vit/kernel_mixture.py` without its package, which registers classes with transformers.

    The folder is self-contained, since it is pushed to the Hub on its own, so that it is a package under any name.
    """
    name = "_musemo_recogniser_modules"
    if name not in sys.modules:
        package = ModuleType(name)
        package.__path__ = [str(Path(__file__).resolve().parent.parent / "models" / "vit")]
        sys.modules[name] = package
    return import_module("_musemo_recogniser_modules.kernel_mixture")

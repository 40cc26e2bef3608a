"""Losses of the generator by frozen models: cycle consistency of the emotion, and a perceptual loss."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from musemo_hf.models.gan import FrozenFeatures, MusemoGanConfig, pretrained_config
from musemo_hf.models.vit import MusemoViTForEmotionRegression

from .settings import GanTraining


class Guidance(nn.Module):
    """Computes losses by frozen models; their gradient reaches the spectrogram only.

    Args:
        training: The settings, with the folders of the models and the weights of the losses.
        config: The configuration of the GAN, whose spectrograms the models must take.

    Raises:
        ValueError: A model takes spectrograms of another size, or is of an unknown kind.
        FileNotFoundError: A folder does not exist.
    """

    def __init__(self, training: GanTraining, config: MusemoGanConfig) -> None:
        super().__init__()
        self.recogniser: MusemoViTForEmotionRegression | None = None
        self.features: FrozenFeatures | None = None
        if training.cycle_weight:
            self.recogniser = _recogniser(str(training.recogniser), config)
        if training.perceptual_weight:
            folder = _folder(str(training.perceptual_model or training.recogniser))
            self.features = FrozenFeatures(pretrained_config(folder), config.n_mels, config.n_frames)
            self.features.load(folder)

    def forward(self, fake: Tensor, real: Tensor, emotion: Tensor) -> dict[str, Tensor]:
        """Return the losses by name.

        Args:
            fake: Generated normalised log-mels `(B, 1, n_mels, n_frames)`.
            real: Real clips of the same emotions.
            emotion: The requested emotions, `(B, 2)`.

        Returns:
            "cycle", the mean squared error of the recognised emotion, and "perceptual", see `statistics_distance`.
        """
        losses = {}
        if self.recogniser is not None:
            losses["cycle"] = functional.mse_loss(self.recogniser(spectrogram=fake).emotion.float(), emotion)
        if self.features is not None:
            with torch.no_grad():
                wanted = self.features(real)
            losses["perceptual"] = statistics_distance(self.features(fake), wanted)
        return losses


def statistics_distance(made: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """Return the mean distance between the means, and the deviations, of each layer's features over clips and time.

    Single clips are not compared, because a song is not the target of another song of the same emotion.

    Args:
        made: The tokens of generated clips, layer by layer, `(B, T, dim)`.
        wanted: The tokens of real clips.

    Returns:
        A scalar, in units of the deviation of the real features.
    """
    distances = []
    for first, second in zip(made, wanted, strict=True):
        deviation, mean = torch.std_mean(second.float(), dim=(0, 1))
        made_deviation, made_mean = torch.std_mean(first.float(), dim=(0, 1))
        scale = deviation + 1e-6
        distances.append((((made_mean - mean).abs() + (made_deviation - deviation).abs()) / scale).mean())
    return torch.stack(distances).mean()


def _folder(name: str) -> str:
    if not Path(name).is_dir():
        raise FileNotFoundError(f"expected the folder of a pretrained model, found none at {name}")
    return name


def _recogniser(folder: str, config: MusemoGanConfig) -> MusemoViTForEmotionRegression:
    recogniser = MusemoViTForEmotionRegression.from_pretrained(_folder(folder))
    size, wanted = (recogniser.config.n_mels, recogniser.config.n_frames), (config.n_mels, config.n_frames)
    if size != wanted:
        raise ValueError(f"expected a recogniser of spectrograms {wanted}, got one of {size}")
    return recogniser.requires_grad_(False).eval()

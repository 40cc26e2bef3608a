"""What a recogniser that stays as it is tells the generator: whether the emotion arrives, and how music looks inside."""

from torch import Tensor, nn
from torch.nn import functional

from musemo_hf.models.gan import MusemoGanConfig
from musemo_hf.models.vit import MusemoViTForEmotionRegression

from .gan_settings import GanTraining


class Guidance(nn.Module):
    """Losses of a frozen recogniser; the gradient reaches the spectrogram and nothing else.

    Args:
        training: `recogniser` is the folder; where it is None there are no losses.
        config: of the GAN, whose spectrograms the recogniser has to take.

    Raises:
        ValueError: the recogniser takes spectrograms of another size.
    """

    def __init__(self, training: GanTraining, config: MusemoGanConfig) -> None:
        super().__init__()
        self.with_cycle, self.with_perceptual = training.cycle_weight > 0, training.perceptual_weight > 0
        self.recogniser: MusemoViTForEmotionRegression | None = None
        if training.recogniser is None or not (self.with_cycle or self.with_perceptual):
            return
        recogniser = MusemoViTForEmotionRegression.from_pretrained(training.recogniser)
        size, wanted = (recogniser.config.n_mels, recogniser.config.n_frames), (config.n_mels, config.n_frames)
        if size != wanted:
            raise ValueError(f"expected a recogniser of spectrograms {wanted}, got one of {size}")
        self.recogniser = recogniser.requires_grad_(False).eval()

    def forward(self, fake: Tensor, real: Tensor, emotion: Tensor) -> dict[str, Tensor]:
        """Losses by name.

        Args:
            fake: generated `(B, 1, n_mels, n_frames)`, normalised.
            real: real clips of the same emotions.
            emotion: `(B, 2)` that was asked for.

        Returns:
            "cycle", the mean squared error of the recognised emotion (Zhu et al. 2017, of labels); "perceptual", the
            mean distance between means and deviations of its layers on real and generated clips.
        """
        if self.recogniser is None:
            return {}
        made = self.recogniser(spectrogram=fake.float())
        losses = {"cycle": functional.mse_loss(made.emotion.float(), emotion)} if self.with_cycle else {}
        return losses

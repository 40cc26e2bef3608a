"""The first map of a generator of which each column has noise of its own, so that no layout in time is learnt."""

from torch import Tensor, nn

from .configuration_gan import MusemoGanConfig

COLUMN = 16  # frames that one column of the first map stands for
FINE = 4  # bands, and frames, that one place of the fine noise stands for
MARGIN = 2  # columns on either side that are cut off, because what borders on padding knows where a clip begins


class NoiseColumns(nn.Module):
    """Makes the first map, and the fine noise of a later one, without knowing the time.

    A generator whose first layer is tied to every frame learns one arrangement in time, which the noise hardly changes.
    Here the code of a clip decides what all columns share, and the noise of a column what happens there (after Bergmann
    et al. 2017). The noise holds, for one column after another, `config.column_noise_dim` coarse values and one for
    each place of 4 bands and 4 frames.

    Args:
        config: The configuration of the GAN.
        code_dim: The length of the noise for the whole clip and the emotion embedding together.
    """

    def __init__(self, config: MusemoGanConfig, code_dim: int) -> None:
        super().__init__()
        channels = config.stage_channels
        self.rows, self.n_columns = config.n_mels // COLUMN, config.padded_frames // COLUMN + 2 * MARGIN
        self.sizes = (config.column_noise_dim, self.rows * (COLUMN // FINE) ** 2)
        self.from_code = nn.Linear(code_dim, channels[0] * self.rows)
        self.from_coarse = nn.Conv1d(config.column_noise_dim, channels[0] * self.rows, 3, padding=1)
        self.from_fine = nn.Conv2d(1, channels[2], 3, padding=1)

    @property
    def noise_dim(self) -> int:
        """The number of noise values of the columns of a clip."""
        return self.n_columns * sum(self.sizes)

    def forward(self, code: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the first map `(B, C, rows, columns)`, and what is added after two doublings of it.

        Args:
            code: The noise for the whole clip and the embedded emotion, `(B, code_dim)`.
            noise: The noise of the columns, `(B, noise_dim)`.
        """
        coarse, fine = noise.unflatten(1, (self.n_columns, -1)).split(self.sizes, dim=2)
        first = self.from_code(code)[:, :, None] + self.from_coarse(coarse.transpose(1, 2))
        per_side = COLUMN // FINE
        fine = fine.unflatten(2, (self.rows * per_side, per_side)).permute(0, 2, 1, 3).flatten(2)
        return first.unflatten(1, (-1, self.rows)), self.from_fine(fine[:, None])

    def crop(self, spectrogram: Tensor) -> Tensor:
        """Cut the margins off, `(B, 1, n_mels, 16 * columns)`."""
        return spectrogram[..., MARGIN * COLUMN : -MARGIN * COLUMN]

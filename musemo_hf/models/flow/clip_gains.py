"""Gains of a clip's groups of coefficients, separated from the coefficients."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .full_precision import FullPrecision


def membership(sizes: Sequence[int], n_before: int = 0) -> Tensor:
    """Return the memberships `(n_groups, n_before + sum(sizes))`, 0 or 1; the first `n_before` belong to no group."""
    group = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes, dtype=torch.long))
    groups = (group == torch.arange(len(sizes))[:, None]).float()
    return torch.cat([torch.zeros(len(sizes), n_before), groups], dim=1)


class ClipGains(FullPrecision):
    """Separates each group of coefficients from its gain in each clip, and applies any gain again.

    Music is heteroscedastic: the deviation of a coefficient differs between clips by more than chance, which linear
    latents cannot represent. A group divided by its gain is closer to Gaussian, and so is the logarithm of the gain
    (the Gaussian scale mixtures of Wainwright & Simoncelli 2000, with one scale for each clip and group).

    A gain is the logarithm of the root mean square over a group, which consists of some rows and some columns.

    Args:
        rows: The memberships of rows, `(n_row_groups, n_rows)`.
        columns: The memberships of columns, `(n_column_groups, n_columns)`. Coefficients without a group are kept.
        floor: The root mean square that counts as silence and is not amplified.
    """

    usual: Tensor
    rows: Tensor
    columns: Tensor

    def __init__(self, rows: Tensor, columns: Tensor, floor: float) -> None:
        super().__init__()
        self.floor, self.shape = floor, (len(rows), len(columns))
        self.size = len(rows) * len(columns)
        self.register_buffer("rows", rows)
        self.register_buffer("columns", columns)
        self.register_buffer("usual", torch.zeros(self.shape))

    @torch.no_grad()
    def fit(self, values: Tensor) -> None:
        """Compute the usual gains, the average over training clips, from values `(N, n_rows, n_columns)`."""
        self.usual.copy_(self._gains(values).mean(dim=0))

    def split(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gains `(B, size)` of values `(B, n_rows, n_columns)`, and the values with the usual gains."""
        gains = self._gains(values)
        return gains.flatten(1), values * self._spread_out((self.usual - gains).exp())

    def join(self, gains: Tensor, values: Tensor) -> Tensor:
        """Invert `split`, for values of any gains, which are replaced."""
        wanted = ((2 * gains.unflatten(1, self.shape)).exp() - self.floor**2).clamp(min=0)
        return values * self._spread_out((wanted / self._powers(values).clamp(min=1e-12)).sqrt())

    def _gains(self, values: Tensor) -> Tensor:
        return 0.5 * (self._powers(values) + self.floor**2).log()

    def _powers(self, values: Tensor) -> Tensor:
        """Return the mean squares `(B, n_row_groups, n_column_groups)`."""
        rows, columns = (member / member.sum(dim=1, keepdim=True) for member in (self.rows, self.columns))
        return rows @ values.square() @ columns.T

    def _spread_out(self, scales: Tensor) -> Tensor:
        """Return a scale for each value, which is 1 for values without a group."""
        outside = 1 - self.rows.sum(dim=0)[:, None] * self.columns.sum(dim=0)
        return self.rows.T @ scales @ self.columns + outside

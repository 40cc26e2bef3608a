"""Coefficients of a clip <-> its gains, group by group, and what is left, which is alike from clip to clip."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def membership(sizes: Sequence[int], n_before: int = 0) -> Tensor:
    """Which group a place is of, `(n_groups, n_before + sum(sizes))` of 0 and 1; the first places are of none."""
    group = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes, dtype=torch.long))
    groups = (group == torch.arange(len(sizes))[:, None]).float()
    return torch.cat([torch.zeros(len(sizes), n_before), groups], dim=1)


class ClipGains(nn.Module):
    """Divides each group of coefficients by the clip's own gain, and gives a group any gain back.

    Music is heteroscedastic: the deviation of a coefficient differs from clip to clip by more than chance, and a linear
    latent cannot say so. Divided by its gain in each clip a group is nearer to Gaussian, and so is the logarithm of
    the gain (the Gaussian scale mixtures of Wainwright & Simoncelli 2000, one scale a clip and group).

    A gain is the logarithm of the root mean square over a group, which is some rows by some columns.

    Args:
        rows: membership of rows, `(n_row_groups, n_rows)`.
        columns: membership of columns, `(n_column_groups, n_columns)`; places of no group keep their values.
        floor: a root mean square that is as good as silence, which is not made louder.
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
        """Find the usual gains, those of training clips on the average, of values `(N, n_rows, n_columns)`."""
        self.usual.copy_(self._gains(values).mean(dim=0))

    def split(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """`(B, n_rows, n_columns)` -> gains `(B, size)`, and the values with the usual gains instead."""
        gains = self._gains(values)
        return gains.flatten(1), values * self._spread_out((self.usual - gains).exp())

    def join(self, gains: Tensor, values: Tensor) -> Tensor:
        """The inverse of `split`, for values of any gains, which are replaced."""
        wanted = ((2 * gains.unflatten(1, self.shape)).exp() - self.floor**2).clamp(min=0)
        return values * self._spread_out((wanted / self._powers(values).clamp(min=1e-12)).sqrt())

    def _gains(self, values: Tensor) -> Tensor:
        return 0.5 * (self._powers(values) + self.floor**2).log()

    def _powers(self, values: Tensor) -> Tensor:
        """Mean squares, `(B, n_row_groups, n_column_groups)`."""
        rows, columns = (member / member.sum(dim=1, keepdim=True) for member in (self.rows, self.columns))
        return rows @ values.square() @ columns.T

    def _spread_out(self, scales: Tensor) -> Tensor:
        """A scale for each value, 1 in places of no group."""
        outside = 1 - self.rows.sum(dim=0)[:, None] * self.columns.sum(dim=0)
        return self.rows.T @ scales @ self.columns + outside

"""Texture <-> components of patches, found in closed form, so that nothing of it is trained."""

import torch
from torch import Tensor, nn
from torch.nn import functional

MAX_PATCHES = 60_000  # that the covariance is taken from: more do not change it
QUIET = 0.05  # of the usual root mean square; a patch below it has no less detail


class PatchTransform(nn.Module):
    """An orthonormal basis of patches, sorted by variance; the first `n_components` of each patch are modelled.

    The components beyond `n_components` are the detail. No network models it: where it is wanted, it is drawn from a
    Gaussian, whose deviation follows that of the finer half of the modelled components of the same patch, as the
    deviations of neighbouring scales of natural signals do (the Gaussian scale mixtures of Wainwright & Simoncelli
    2000): an onset is as sharp as it is strong. The emotion has no part in it.

    Args:
        n_mels: mel bands, a multiple of the patch's.
        n_frames: padded on the right with zeros, the mean of a texture, to whole patches, and cropped again.
        patch_size: (mels, frames).
        n_components: that are modelled, at most the cells of a patch.
    """

    mean: Tensor
    basis: Tensor
    fine_deviation: Tensor
    detail_deviation: Tensor
    detail_power: Tensor

    def __init__(self, n_mels: int, n_frames: int, patch_size: tuple[int, int], n_components: int) -> None:
        super().__init__()
        self.n_frames, self.patch_size, self.n_components = n_frames, patch_size, n_components
        self.rows, self.columns = n_mels // patch_size[0], -(-n_frames // patch_size[1])
        size = patch_size[0] * patch_size[1]
        self.n_detail = size - n_components
        self.n_fine = n_components - n_components // 2
        # a mean, and deviations, for each row of patches: treble and bass differ
        self.register_buffer("mean", torch.zeros(self.rows, 1, size))
        self.register_buffer("basis", torch.eye(size))  # one that reconstructs before anything is fitted
        self.register_buffer("fine_deviation", torch.ones(self.rows, 1, self.n_fine))
        self.register_buffer("detail_deviation", torch.zeros(self.rows, 1, self.n_detail))
        self.register_buffer("detail_power", torch.zeros(self.n_detail))

    @torch.no_grad()
    def fit(self, spectrogram: Tensor, seed: int = 0) -> None:
        """Find the basis, and how the deviations of the detail follow those of the finer components.

        Args:
            spectrogram: textures `(N, 1, n_mels, n_frames)` of the training clips, and of no others.
            seed: of the choice of patches, where there are more than 60,000.

        Raises:
            ValueError: spectrograms of another shape.
        """
        patches = self._patches(spectrogram.to(self.mean))
        self.mean.copy_(patches.mean(dim=(0, 2))[:, None])
        flat = (patches - self.mean).reshape(-1, patches.shape[-1])
        order = torch.randperm(len(flat), generator=torch.Generator().manual_seed(seed))[:MAX_PATCHES]
        chosen = flat[order.to(flat.device)]
        # of a symmetric matrix the eigenvectors, found too where it is nearly singular
        self.basis.copy_(torch.linalg.svd((chosen.T @ chosen).double() / len(chosen)).U)
        components, detail = ((patches - self.mean) @ self.basis).split([self.n_components, self.n_detail], dim=-1)
        fine = components[..., -self.n_fine :]
        self.fine_deviation.copy_(fine.square().mean(dim=(0, 2)).sqrt().clamp(min=1e-6)[:, None])
        self._fit_detail(self._liveliness(components), detail)

    def _fit_detail(self, liveliness: Tensor, detail: Tensor) -> None:
        """Lines of least squares between logarithms, one for each octave of components."""
        known = liveliness.log() - liveliness.log().mean()
        start, size = 0, self.n_components
        while start < self.n_detail:
            octave = slice(start, start + size)
            level = 0.5 * detail[..., octave].square().mean(dim=-1, keepdim=True).clamp(min=1e-12).log()
            slope = (known * level).mean() / known.square().mean().clamp(min=1e-9)
            self.detail_power[octave] = slope.clamp(0, 1)
            start, size = start + size, 2 * size
        steady = detail / liveliness**self.detail_power
        self.detail_deviation.copy_(steady.square().mean(dim=(0, 2)).sqrt()[:, None])

    def _liveliness(self, components: Tensor) -> Tensor:
        """Root mean square of the finer half of components, in units of the usual, `(B, rows, columns, 1)`."""
        fine = components[..., -self.n_fine :] / self.fine_deviation
        return fine.square().mean(dim=-1, keepdim=True).sqrt().clamp(min=QUIET)

    def encode(self, spectrogram: Tensor) -> Tensor:
        """Textures `(B, 1, n_mels, n_frames)` -> `(B, rows, columns, n_components)`."""
        return (self._patches(spectrogram) - self.mean) @ self.basis[:, : self.n_components]

    def decode(self, components: Tensor, detail: Tensor | None = None) -> Tensor:
        """The inverse of `encode`, up to the detail.

        Args:
            components: `(B, rows, columns, n_components)`.
            detail: standard normal `(B, rows, columns, n_detail)`; None leaves the detail out.

        Returns:
            `(B, 1, n_mels, n_frames)`, not clamped.
        """
        patches = components @ self.basis[:, : self.n_components].T + self.mean
        if detail is not None:
            deviation = self.detail_deviation * self._liveliness(components) ** self.detail_power
            patches = patches + deviation * detail @ self.basis[:, self.n_components :].T
        mels, frames = self.patch_size
        cells = patches.unflatten(-1, (mels, frames)).transpose(2, 3)  # (B, rows, mels, columns, frames)
        return cells.reshape(len(cells), 1, self.rows * mels, self.columns * frames)[..., : self.n_frames]

    def _patches(self, spectrogram: Tensor) -> Tensor:
        """`(B, rows, columns, cells)`."""
        mels, frames = self.patch_size
        if spectrogram.ndim != 4 or spectrogram.shape[1:] != (1, self.rows * mels, self.n_frames):
            expected = f"(B, 1, {self.rows * mels}, {self.n_frames})"
            raise ValueError(f"expected spectrogram of shape {expected}, got {tuple(spectrogram.shape)}")
        missing = self.columns * frames - self.n_frames
        padded = functional.pad(spectrogram[:, 0], (0, missing))
        cells = padded.reshape(-1, self.rows, mels, self.columns, frames).transpose(2, 3)
        return cells.flatten(-2)

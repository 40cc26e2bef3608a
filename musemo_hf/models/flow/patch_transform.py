"""Texture <-> components of patches, found in closed form, so that nothing of it is trained."""

import torch
from torch import Tensor, nn
from torch.nn import functional

MAX_PATCHES = 60_000  # that the covariance is taken from: more do not change it


class PatchTransform(nn.Module):
    """An orthonormal basis of patches, sorted by variance; the first `n_components` of each patch are modelled.

    The components beyond `n_components` are the detail. Nothing models it: where it is wanted, it is drawn from a
    Gaussian of the deviations that training clips had. The emotion has no part in it.

    Args:
        n_mels: mel bands, a multiple of the patch's.
        n_frames: padded on the right with zeros, the mean of a texture, to whole patches, and cropped again.
        patch_size: (mels, frames).
        n_components: that are modelled, at most the cells of a patch.
    """

    mean: Tensor
    basis: Tensor
    detail_deviation: Tensor

    def __init__(self, n_mels: int, n_frames: int, patch_size: tuple[int, int], n_components: int) -> None:
        super().__init__()
        self.n_frames, self.patch_size, self.n_components = n_frames, patch_size, n_components
        self.rows, self.columns = n_mels // patch_size[0], -(-n_frames // patch_size[1])
        size = patch_size[0] * patch_size[1]
        self.n_detail = size - n_components
        # deviations of the detail, and a mean, for each row of patches: treble and bass differ
        self.register_buffer("mean", torch.zeros(self.rows, 1, size))
        self.register_buffer("basis", torch.eye(size))  # one that reconstructs before anything is fitted
        self.register_buffer("detail_deviation", torch.zeros(self.rows, 1, self.n_detail))

    @torch.no_grad()
    def fit(self, spectrogram: Tensor, seed: int = 0) -> None:
        """Find the basis, and the deviations of the detail.

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
        detail = (patches - self.mean) @ self.basis[:, self.n_components :]
        self.detail_deviation.copy_(detail.square().mean(dim=(0, 2)).sqrt()[:, None])

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
            patches = patches + self.detail_deviation * detail @ self.basis[:, self.n_components :].T
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

"""Components of the patches of a texture, fitted in closed form."""

import torch
from torch import Tensor
from torch.nn import functional

from .full_precision import FullPrecision

MAX_PATCHES = 60_000  # more patches do not change the covariance
MIN_LOCAL_ENERGY = 0.05  # a patch below it has no less detail


class PatchTransform(FullPrecision):
    """An orthonormal basis of patches, sorted by variance; the first `n_components` of each patch are modelled.

    The components beyond `n_components` are the detail. No network models it; when it is wanted, it is drawn from a
    Gaussian, whose deviation follows the local energy of the same patch, that of the finer half of its modelled
    components: the deviations of neighbouring scales of natural signals are related (Gaussian scale mixtures,
    Wainwright & Simoncelli 2000), so that an onset is as sharp as it is strong. It is independent of the emotion.

    Args:
        n_mels: The number of mel bands, a multiple of the patch's.
        n_frames: The number of frames, padded on the right with zeros (the mean of a texture) to whole patches.
        patch_size: The (mel bands, frames) of a patch.
        n_components: The number of components that are modelled, at most the cells of a patch.
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
        """Fit the basis, and the dependence of the detail on the local energy.

        Args:
            spectrogram: The textures `(N, 1, n_mels, n_frames)` of the training clips.
            seed: The seed that selects patches when there are more than 60,000.

        Raises:
            ValueError: The textures have another shape.
        """
        patches = self._patches(spectrogram.to(self.mean))
        self.mean.copy_(patches.mean(dim=(0, 2))[:, None])
        flat = (patches - self.mean).reshape(-1, patches.shape[-1])
        order = torch.randperm(len(flat), generator=torch.Generator().manual_seed(seed))[:MAX_PATCHES]
        chosen = flat[order.to(flat.device)]
        # the eigenvectors of a symmetric matrix, stable also where it is nearly singular
        self.basis.copy_(torch.linalg.svd((chosen.T @ chosen).double() / len(chosen)).U)
        components, detail = ((patches - self.mean) @ self.basis).split([self.n_components, self.n_detail], dim=-1)
        fine = components[..., -self.n_fine :]
        self.fine_deviation.copy_(fine.square().mean(dim=(0, 2)).sqrt().clamp(min=1e-6)[:, None])
        self._fit_detail(self._local_energy(components), detail)

    def _fit_detail(self, energy: Tensor, detail: Tensor) -> None:
        """Fit lines of least squares between logarithms, one for each octave of components."""
        known = energy.log() - energy.log().mean()
        start, size = 0, self.n_components
        while start < self.n_detail:
            octave = slice(start, start + size)
            level = 0.5 * detail[..., octave].square().mean(dim=-1, keepdim=True).clamp(min=1e-12).log()
            slope = (known * level).mean() / known.square().mean().clamp(min=1e-9)
            self.detail_power[octave] = slope.clamp(0, 1)
            start, size = start + size, 2 * size
        steady = detail / energy**self.detail_power
        self.detail_deviation.copy_(steady.square().mean(dim=(0, 2)).sqrt()[:, None])

    def _spread_of_detail(self, components: Tensor) -> Tensor:
        """Return the standard deviation of the detail, `(B, rows, columns, n_detail)`."""
        return self.detail_deviation * self._local_energy(components) ** self.detail_power

    def _local_energy(self, components: Tensor) -> Tensor:
        """Return the root mean square of the finer half of components, `(B, rows, columns, 1)`, in its usual units."""
        fine = components[..., -self.n_fine :] / self.fine_deviation
        return fine.square().mean(dim=-1, keepdim=True).sqrt().clamp(min=MIN_LOCAL_ENERGY)

    def encode(self, spectrogram: Tensor) -> Tensor:
        """Return the components `(B, rows, columns, n_components)` of textures `(B, 1, n_mels, n_frames)`."""
        return (self._patches(spectrogram) - self.mean) @ self.basis[:, : self.n_components]

    def encode_detail(self, spectrogram: Tensor) -> Tensor:
        """Return the detail `(B, rows, columns, n_detail)` of textures `(B, 1, n_mels, n_frames)`, in its deviations.

        `decode` of the components and of this detail gives the textures; the detail of a silent band is 0.
        """
        turned = (self._patches(spectrogram) - self.mean) @ self.basis
        components, detail = turned.split([self.n_components, self.n_detail], dim=-1)
        return detail / self._spread_of_detail(components).clamp(min=1e-6)

    def decode(self, components: Tensor, detail: Tensor | None = None) -> Tensor:
        """Invert `encode` up to the detail, without clamping.

        Args:
            components: The components `(B, rows, columns, n_components)`.
            detail: Standard normal noise `(B, rows, columns, n_detail)`; None leaves the detail out.

        Returns:
            The textures `(B, 1, n_mels, n_frames)`.
        """
        patches = components @ self.basis[:, : self.n_components].T + self.mean
        if detail is not None:
            patches = patches + self._spread_of_detail(components) * detail @ self.basis[:, self.n_components :].T
        mels, frames = self.patch_size
        cells = patches.unflatten(-1, (mels, frames)).transpose(2, 3)  # (B, rows, mels, columns, frames)
        return cells.reshape(len(cells), 1, self.rows * mels, self.columns * frames)[..., : self.n_frames]

    def _patches(self, spectrogram: Tensor) -> Tensor:
        """Cut spectrograms into patches `(B, rows, columns, cells)`."""
        mels, frames = self.patch_size
        if spectrogram.ndim != 4 or spectrogram.shape[1:] != (1, self.rows * mels, self.n_frames):
            expected = f"(B, 1, {self.rows * mels}, {self.n_frames})"
            raise ValueError(f"expected spectrogram of shape {expected}, got {tuple(spectrogram.shape)}")
        missing = self.columns * frames - self.n_frames
        padded = functional.pad(spectrogram[:, 0], (0, missing))
        cells = padded.reshape(-1, self.rows, mels, self.columns, frames).transpose(2, 3)
        return cells.flatten(-2)

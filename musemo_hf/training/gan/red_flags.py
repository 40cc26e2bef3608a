"""Signs that a GAN's training has failed, each a reason to stop."""

from collections import deque
from typing import Any

import numpy as np

from musemo_hf.evaluation.distances.kernel import kernel_distance
from musemo_hf.evaluation.spaces.embedders import get_embedder, standardise
from musemo_hf.training.loop import RedFlagError

WINDOW = 500  # iterations that a mean of the accuracy is over
GRACE = 1000  # iterations before the accuracy counts


class RedFlags:
    """Watches the accuracy of the discriminator and the diversity of generated clips.

    With every loss, a diversity (mean pairwise distance in `mel-statistics-v1`) under 10 % of real music's is a red
    flag. With binary cross-entropy, after 1,000 iterations and on a 500-iteration mean, so is a discriminator accuracy
    of 98 % or more, or of 45-55 % together with low diversity or a KID that has not improved over the last three
    checks. 50 % alone is the equilibrium of a GAN (Goodfellow et al. 2014, theorem 1), not a fault.

    Args:
        real: The real clips to compare with, in dB, `(N, n_mels, n_frames)`.
        cross_entropy: Whether the loss is binary cross-entropy.
        lowest_diversity: The share of real music's diversity below which the generator has collapsed.

    Raises:
        ValueError: There are fewer than two different real clips, which have no diversity to compare with.
    """

    def __init__(self, real: np.ndarray, cross_entropy: bool = True, lowest_diversity: float = 0.1) -> None:
        self.embedder = get_embedder("mel-statistics-v1")
        self.real = self.embedder.embed(real)
        self.scale = self.real.std(axis=0) + 1e-6
        self.real_diversity = self._diversity(self.real) if len(self.real) > 1 else 0.0
        if self.real_diversity <= 0:
            raise ValueError(f"expected at least two different real clips, got {len(self.real)} without diversity")
        self.cross_entropy, self.lowest_diversity = cross_entropy, lowest_diversity
        self.accuracies: deque[float] = deque(maxlen=WINDOW)
        self.kids: list[float] = []

    def _diversity(self, features: np.ndarray) -> float:
        scaled = features / self.scale
        square = (scaled**2).sum(1)
        distances = np.sqrt(np.maximum(square[:, None] + square[None] - 2 * scaled @ scaled.T, 0))
        return float(distances[np.triu_indices(len(scaled), 1)].mean())

    def observe(self, accuracy: float) -> None:
        """Take in the accuracy of the discriminator in one iteration, in [0, 1]."""
        self.accuracies.append(accuracy)

    def check(self, step: int, generated: np.ndarray) -> dict[str, float]:
        """Examine generated clips.

        Args:
            step: The number of iterations that have been made.
            generated: The clips in dB, `(N, n_mels, n_frames)`.

        Returns:
            `diversity_share` (their diversity divided by real music's), `kid` and `kid_se`.

        Raises:
            RedFlagError: The training has failed.
        """
        if not np.isfinite(generated).all():
            raise RedFlagError("the generator's output is NaN or infinite")
        features = self.embedder.embed(generated)
        share = self._diversity(features) / self.real_diversity
        reference, candidate = standardise(self.real, features)
        kid, kid_se = kernel_distance(reference, candidate)
        self.kids.append(float(kid))
        if share < self.lowest_diversity:
            raise RedFlagError(
                f"mode collapse: diversity is {share:.1%} of real music's, under {self.lowest_diversity:.0%}"
            )
        if self.cross_entropy and step >= GRACE and len(self.accuracies) >= WINDOW:
            self._check_accuracy(share)
        return {"diversity_share": share, "kid": float(kid), "kid_se": float(kid_se)}

    def _check_accuracy(self, diversity_share: float) -> None:
        accuracy = float(np.mean(self.accuracies))
        if accuracy >= 0.98:
            raise RedFlagError(f"discriminator accuracy is {accuracy:.1%}: it leaves the generator no gradient")
        stalled = len(self.kids) > 3 and min(self.kids[-3:]) >= min(self.kids[:-3])
        if 0.45 <= accuracy <= 0.55 and (diversity_share < 2 * self.lowest_diversity or stalled):
            why = "KID no longer improves" if stalled else f"diversity is {diversity_share:.1%} of real music's"
            raise RedFlagError(f"discriminator accuracy is {accuracy:.1%} and {why}")

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` takes."""
        return {"accuracies": list(self.accuracies), "kids": self.kids}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.accuracies.extend(state["accuracies"])
        self.kids = list(state["kids"])


def published_reading(accuracy: float, discriminator_loss: float) -> str:
    """Return the published guide's reading of the discriminator's accuracy and loss."""
    if discriminator_loss < 0.01:
        return "published reading: loss 0, the discriminator has won"
    if 0.45 <= accuracy <= 0.55:
        return "published reading: 50 %, the discriminator guesses (the GAN's own equilibrium looks the same)"
    return "published reading: balanced" if 0.7 <= accuracy <= 0.8 else "published reading: out of the 70-80 % band"

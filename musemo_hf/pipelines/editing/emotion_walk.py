"""Songs on the way from one emotion to another.

The class is pushed to the Hub with the pipeline's code.
"""

from typing import Any

import torch

from musemo_hf.models.flow.generation import check_emotion
from musemo_hf.pipelines.editing.song_editing import song_seeds


class EmotionWalkMixin:
    """Adds `walk` to `MusemoPipeline`."""

    generator: Any

    def walk(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        steps: int = 5,
        seed: int | None = None,
        end_seed: int | None = None,
        n_iter: int = 32,
        generator: torch.Generator | None = None,
        output_type: str = "np",
        **options: Any,
    ) -> Any:
        """Generate songs on the way from one emotion to another.

        Args:
            start: The (valence, arousal) of the first song.
            end: The (valence, arousal) of the last song.
            steps: The number of songs including the two ends, at least 2.
            seed: The seed of the noise at the start.
            end_seed: The seed of the noise at the end, which is reached on the great circle between the two (Shoemake
                1985); None keeps the noise, so that only the emotion changes.
            n_iter: The number of Griffin-Lim iterations.
            generator: A random generator from which the seed of the start is drawn, instead of `seed`.
            output_type: See a call.
            **options: `num_inference_steps`, `guidance_scale`, `conditions` and `genre` as in a call, where a condition
                or a genre is one for all songs or one for each.

        Raises:
            ValueError: There are less than 2 steps, or as in a call.
        """
        if steps < 2:
            raise ValueError(f"expected at least 2 steps, got {steps}")
        self._check_output_type(output_type)  # type: ignore[attr-defined]
        given = self._generation(steps, **options)  # type: ignore[attr-defined]
        share = torch.linspace(0, 1, steps)[:, None]
        ends = check_emotion([list(start), list(end)])
        emotion = ends[:1] * (1 - share) + ends[1:] * share
        first_seed = song_seeds(seed, generator, 1)[0]
        noise = self.generator.sample_noise(2, [first_seed, first_seed if end_seed is None else end_seed])
        seeds: list[int | None] = [first_seed] * steps
        if torch.equal(noise[0], noise[1]):
            noise = noise[:1].expand(steps, -1)
        else:
            noise = _great_circle(noise[0], noise[1], share)
            seeds[1:] = [None] * (steps - 2) + [end_seed]  # no seed gives what lies between two
        mels = self.generator.generate(emotion, noise=noise, **given)
        return self._sung(mels, emotion, seeds, n_iter, output_type)  # type: ignore[attr-defined]


def _great_circle(first: torch.Tensor, second: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Interpolate spherically, `(steps, D)`: a straight line between Gaussian samples is too short in the middle."""
    angle = torch.acos(torch.cosine_similarity(first, second, dim=0).clamp(-1, 1))
    return (torch.sin((1 - share) * angle) * first + torch.sin(share * angle) * second) / torch.sin(angle)

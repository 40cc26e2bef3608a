"""What an ablation compares."""

from dataclasses import dataclass, field


@dataclass
class AblationPlan:
    """What `training/ablate.py` compares, and how.

    Attributes:
        protocol: "folds" (artist-disjoint, out-of-fold over all songs), "random" (80/10/10 by song, as published) or
            "as-run" (the generator trained on all songs, and real and synthetic songs split at random together).
        n_folds: artist-disjoint folds.
        folds: those to run, None for all; fewer give an out-of-fold table over fewer songs.
        seeds: of the recognisers; the generator of a fold is trained once, with the first.
        arms: names of `experiments.ablation.arms`, with their own synthetic share where one is given after an "@", such as
            "synthetic@0.5"; "real" must be among them.
        baselines: names of `experiments.ablation.baselines`, scored in the same folds.
        generator: "gan" (section `generator`) or "flow" (section `flow`).
        synthetic_share: synthetic clips a real one, for arms that give none; 2.3 is 3,200 / 1,395.
        emotions: "training" (density of the training labels) or "uniform" on the square, as published.
        n_resamples: bootstrap draws over artists.
        budget: name that every table carries.
    """

    protocol: str = "folds"
    n_folds: int = 5
    folds: list[int] | None = None
    seeds: list[int] = field(default_factory=lambda: [0])
    arms: list[str] = field(default_factory=lambda: ["real", "synthetic"])
    baselines: list[str] = field(default_factory=list)
    generator: str = "gan"
    synthetic_share: float = 1.0
    emotions: str = "training"
    n_resamples: int = 10_000
    budget: str = "default"

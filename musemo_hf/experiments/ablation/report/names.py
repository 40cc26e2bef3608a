"""Display names of arms and baselines."""

from musemo_hf.experiments.ablation.arms import arm_and_share

ARM_NAMES = {
    "real": "real songs",
    "real_longer": "real, 3.3x updates (published mixture)",
    "real_resampled": "real, uniform over the plane",
    "specaugment": "real, SpecAugment",
    "mixup": "real, mixup",
    "shift_gain": "real, time shift + gain",
    "copies": "real + copies, synthetic labels",
    "noise": "real + noise, synthetic labels",
    "noise_equal_exposure": "real + noise, equal real exposure",
    "synthetic": "real + synthetic",
    "synthetic_equal_exposure": "real + synthetic, equal real exposure",
    "synthetic_shuffled": "real + synthetic, labels shuffled",
    "synthetic_only": "synthetic only",
    "pretrain_synthetic": "synthetic first, then real",
    "variations": "real + variations of real",
    "synthetic_taught": "real + synthetic, teacher's labels",
    "synthetic_taught_external": "real + synthetic, teacher's labels (external data)",
    "real_taught": "real, half the teacher's labels",
    "real_taught_external": "real, half the teacher's labels (external data)",
}
BASELINE_NAMES = {
    "mean": "mean of training labels",
    "artist": "artist lookup",
    "ridge": "ridge",
    "svr": "SVR",
    "extra_trees": "extra trees",
    "kernel": "the recogniser's kernel regression alone",
    "cnn": "small CNN",
}


def arm_name(arm: str) -> str:
    """Return the display name of an arm, with its share of added clips where it has its own."""
    base, share = arm_and_share(arm)
    return ARM_NAMES[base] + (f", {share:g} to 1" if share is not None else "")


def baseline_name(name: str) -> str:
    """Return the display name of a baseline."""
    return BASELINE_NAMES[name]

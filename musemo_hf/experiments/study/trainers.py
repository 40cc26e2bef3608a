"""The networks of a study, checked before anything is trained."""

from inspect import signature

from musemo_hf.models.flow import MusemoFlowGenerator
from musemo_hf.models.gan import MusemoGanConfig

from .plan import TEACHER, StudyConfiguration


def check_networks(configuration: StudyConfiguration, n_frames: int) -> None:
    """Refuse values that no network knows: a rung with a misspelt one would be the baseline again.

    Raises:
        ValueError: an unknown value, or one that the network refuses.
    """
    known = {
        "generator": set(MusemoGanConfig().to_dict()),
        "flow": set(signature(MusemoFlowGenerator.__init__).parameters),
    }
    for rung in configuration.rungs:
        merged = configuration.of_rung(rung)
        for section, names in known.items():
            if unknown := sorted(set(getattr(merged, section)) - names):
                raise ValueError(f"rungs: {rung}: {section}: expected known values, got {', '.join(unknown)}")
        untaught = {key: value for key, value in merged.generator.items() if value != TEACHER}  # which is not there yet
        MusemoGanConfig(n_frames=n_frames, **untaught)

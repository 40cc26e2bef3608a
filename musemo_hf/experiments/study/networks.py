"""The networks of a study, checked before anything is trained."""

from inspect import signature

from musemo_hf.models.flow import MusemoFlowGenerator
from musemo_hf.models.gan import MusemoGanConfig
from musemo_hf.models.unet import MusemoUNetGenerator
from musemo_hf.models.wavegan import MusemoWaveganGenerator

from .plan import TEACHER, StudyConfiguration


def check_networks(configuration: StudyConfiguration, n_frames: int) -> None:
    """Refuse values that no network knows: a variant with a misspelt one would be the baseline again.

    Raises:
        ValueError: A value is unknown, or the network refuses it.
    """
    known = {
        "generator": set(MusemoGanConfig().to_dict()),
        "flow": set(signature(MusemoFlowGenerator.__init__).parameters),
        "unet": set(signature(MusemoUNetGenerator.__init__).parameters),
        "wavegan": set(signature(MusemoWaveganGenerator.__init__).parameters),
    }
    for variant in configuration.variants:
        merged = configuration.of_variant(variant)
        for section, names in known.items():
            if unknown := sorted(set(getattr(merged, section)) - names):
                raise ValueError(f"variants: {variant}: {section}: expected known values, got {', '.join(unknown)}")
        untaught = {key: value for key, value in merged.generator.items() if value != TEACHER}  # which is not there yet
        MusemoGanConfig(n_frames=n_frames, **untaught)

"""The training of a variant that generates waveforms, on the audio of the study's songs."""

from dataclasses import replace
from pathlib import Path

from musemo_hf.data.deam.waveforms import read_excerpts
from musemo_hf.training.generators import ENDLESS
from musemo_hf.training.wavegan.trainer import WaveganTrainer, as_int16

from .plan import StudyConfiguration
from .study import Study


def create_wavegan_trainer(
    study: Study, configuration: StudyConfiguration, run_dir: Path, seed: int, seconds: float | None
) -> WaveganTrainer:
    """Read the audio of the training songs, and create the trainer of a WaveGAN.

    Args:
        study: The context.
        configuration: The configuration of the variant.
        run_dir: The folder of the checkpoints.
        seed: The seed of the training.
        seconds: The number of seconds after which the training ends; None for the updates of the configuration.

    Raises:
        ValueError: The study has no folder of audio, as with a pack of log-mels; see also `read_excerpts`.
    """
    if study.data_dir is None:
        raise ValueError(
            "expected the folder of DEAM for a variant of the kind wavegan, which learns from audio, got none"
        )
    changes = {"seed": seed} if seconds is None else {"seed": seed, "steps": ENDLESS, "seconds": seconds}
    songs = study.training_songs
    found = read_excerpts(songs, study.data_dir, study.configuration.data.config_name)
    waveforms = [as_int16(samples) for samples in found]
    config = {**configuration.wavegan, "n_frames": study.n_frames}
    training = replace(configuration.wavegan_training, **changes)
    return WaveganTrainer(config, training, waveforms, songs.emotion, run_dir, study.accelerator, data_parallel=False)

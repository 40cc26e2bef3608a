"""Training and saving of generators, whatever their kind: a GAN's, a flow or a U-Net.

`musemo_hf.pipelines.generators` loads and samples them.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.files import atomic_folder, atomic_write
from musemo_hf.models.gan import MusemoGanConfig
from musemo_hf.reporting.provenance import caveats, versions

from .checkpoint import save_model
from .clips import Clips
from .configuration import GENERATOR_KINDS, Configuration
from .flow.trainer import FlowTrainer
from .gan.trainer import GanTrainer
from .unet.trainer import UNetTrainer

ENDLESS = 10**9  # updates, when a number of seconds ends the training


def create_trainer(
    kind: str,
    configuration: Configuration,
    clips: Clips,
    run_dir: Path,
    accelerator: Accelerator,
    seed: int | None = None,
    seconds: float | None = None,
    data_parallel: bool = False,
    origin: Mapping[str, Any] | None = None,
) -> GanTrainer | FlowTrainer | UNetTrainer:
    """Create the trainer of a generator, whose `train()` returns the generator with averaged weights.

    Args:
        kind: "gan", which takes the sections `generator` and `gan_training` of the configuration, "flow", which takes
            `flow` and `flow_training`, or "unet", which takes `unet` and `unet_training`.
        configuration: The configuration.
        clips: The clips to train on, whose number of frames is the generator's.
        run_dir: The folder of the checkpoints and the statistics.
        accelerator: The accelerator of the launch.
        seed: The seed of the training; None for that of the configuration.
        seconds: The number of seconds after which the training of a flow or a U-Net ends, however many updates were
            made; None for the number of updates in the configuration.
        data_parallel: See `Parallel`.
        origin: Where the clips come from, see `origin_of`.

    Raises:
        ValueError: The kind is unknown, or seconds were given for a GAN.
    """
    if kind not in GENERATOR_KINDS:
        raise ValueError(f"expected kind to be one of {GENERATOR_KINDS}, got {kind!r}")
    if seconds is not None and kind == "gan":
        raise ValueError(f"expected seconds for a flow only, got {seconds:g} for a GAN, whose updates are counted")
    n_frames = clips.spectrogram.shape[-1]
    changes: dict[str, Any] = {} if seed is None else {"seed": seed}
    place = (clips, run_dir, accelerator, data_parallel, origin)
    if kind == "gan":
        config = MusemoGanConfig(**{**configuration.generator, "n_frames": n_frames})
        return GanTrainer(config, replace(configuration.gan_training, **changes), *place)
    if seconds is not None:
        changes |= {"steps": ENDLESS, "epochs": None, "seconds": seconds}
    if kind == "unet":
        unet = {**configuration.unet, "n_frames": n_frames}
        return UNetTrainer(unet, replace(configuration.unet_training, **changes), *place)
    flow = {**configuration.flow, "n_frames": n_frames}
    return FlowTrainer(flow, replace(configuration.flow_training, **changes), *place)


def save_generator(folder: Path, generator: Any, discriminator: Any = None) -> None:
    """Write a generator with its feature extractor, and its discriminator if given, whole or not at all.

    The folder is for `MusemoPipeline.from_pretrained` and `load_generator`.
    """
    with atomic_folder(folder) as partial:
        MusemoFeatureExtractor(n_frames=generator.config.n_frames).save_pretrained(partial)
        save_model(generator, partial)
        if discriminator is not None:
            save_model(discriminator, partial / "discriminator")


def write_training_report(
    folder: Path, corpus: dict[str, Any], n_training: int, budget: str, seeds: list[int], command: str
) -> None:
    """Write `report.json` into the folder of a generator that learnt from pseudo-labels or the demonstration corpus.

    A card shows it until something is measured; it has no figures. For songs with labels of people nothing is written.

    Args:
        folder: The folder of the generator.
        corpus: The description of the corpus, with `name`, `procedural` and `heard`.
        n_training: The number of songs in the training set.
        budget: The name of the configuration.
        seeds: The seeds of the training.
        command: The command that trained the generator.
    """
    said = caveats(corpus)
    if not said:
        return
    report = {
        "corpus": corpus | {"n_songs": n_training},
        "budget": budget,
        "seeds": seeds,
        "command": command,
        "versions": versions(),
        "findings": [*said, f"Trained on {n_training} of its songs; nothing was measured."],
    }
    atomic_write(folder / "report.json", json.dumps(report, indent=1))

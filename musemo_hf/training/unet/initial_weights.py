"""The weights that the training of a U-Net generator begins with, where they are those of a trained one."""

from pathlib import Path

from torch.nn import functional

from musemo_hf.models.unet import MusemoUNetGenerator
from musemo_hf.reporting.stored_report import held_out_fold

SHAPE = ("n_mels", "patch", "channels", "layers", "attention", "condition_width", "conditions", "augmentations")
ADDED = {
    "genres": ("network.conditions.genre.",),
    "n_descriptors": ("network.conditions.descriptors.", "prior."),
    "beat": ("prior.beats",),
}
INPUT = "network.unet.conv_in.weight"


def take_weights(generator: MusemoUNetGenerator, folder: str | Path) -> None:
    """Set the weights of a generator to those of a trained one, with its standardisation of the log-mels.

    What the generator has and the trained one may not have are genres, descriptors and a beat: their embeddings stay as
    they are, 0 in a new generator, which therefore makes the same clips as the trained one. The numbers of frames may
    differ. The gains and the map of the emotion, which calibrate the trained generator, are not taken: they belong to
    its weights, and are fitted again when the training has ended.

    Args:
        generator: The generator, which is changed.
        folder: The folder of the trained generator.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: The trained generator has another shape, other conditions, other genres or other descriptors.
    """
    if not Path(folder).is_dir():
        raise FileNotFoundError(
            f"expected the folder of a U-Net generator to begin with, found none at {folder}: train that run first, "
            "name another folder with --set unet_training.initial=FOLDER, or begin with new weights with "
            "--set unet_training.initial=null"
        )
    trained = MusemoUNetGenerator.from_pretrained(folder)
    had, wanted = ({name: _as_read(model.config[name]) for name in (*SHAPE, *ADDED)} for model in (trained, generator))
    differing = [name for name in had if had[name] != wanted[name] and (name not in ADDED or had[name])]
    if differing:
        what = ", ".join(f"{name} {had[name]} -> {wanted[name]}" for name in differing)
        raise ValueError(f"{folder}: expected a U-Net generator whose weights fit the configuration, got {what}")
    prefixes = tuple(prefix for name in ADDED if not had[name] for prefix in ADDED[name])
    added = {name: value for name, value in generator.state_dict().items() if prefixes and name.startswith(prefixes)}
    weights = trained.state_dict()
    if generator.config.beat and not trained.config.beat:  # the channels of the beat are the last, and begin at 0
        shape = generator.state_dict()[INPUT].shape
        weights[INPUT] = functional.pad(weights[INPUT], (0, 0, 0, 0, 0, shape[1] - weights[INPUT].shape[1]))
    generator.load_state_dict(added | weights)


def check_fold(folder: str | Path, corpus: str, held_out: int | None) -> None:
    """Refuse to hold out another fold than a trained generator did, which would have learnt from the held-out songs.

    Args:
        folder: The folder of the trained generator, whose `report.json`, or that of the folder above it, tells the
            corpus and the fold; nothing is refused where there is none.
        corpus: The name of the corpus of the new training.
        held_out: The fold that the new training leaves out; None if none is.

    Raises:
        ValueError: The corpus is the same, and the fold is another, or a report cannot be read.
    """
    fold = held_out_fold(folder, corpus)
    if fold is not None and fold != held_out:
        raise ValueError(
            f"{folder} was trained without fold {fold} of {corpus}: expected the same fold, got {held_out}"
        )


def _as_read(value: object) -> object:
    """Return a tuple as a list, as which a configuration is read back."""
    return list(value) if isinstance(value, tuple) else value

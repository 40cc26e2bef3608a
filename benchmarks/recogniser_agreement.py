"""Whether the recogniser learns the same in bfloat16: python -m benchmarks.recogniser_agreement --deam DIR.

The network of `budget.yaml` is trained in float32, in bfloat16, and as the plain loop that its speed is compared with,
each with as many updates of as many clips, on three quarters of the training songs of fold 0. Prints the concordance
(CCC) on the other quarter, which is by other artists, and the differences with intervals over artists.
"""

import argparse
import dataclasses
from time import process_time

import numpy as np
import torch
from accelerate import Accelerator

from benchmarks.recogniser import BUDGET, PlainViT
from benchmarks.timing import threads
from musemo_hf.data.folds import artist_groups, inner_split
from musemo_hf.evaluation.statistics.comparison import compare_arms
from musemo_hf.models.vit import MusemoViTConfig
from musemo_hf.models.vit.windows import covering_windows
from musemo_hf.training.clips import Clips
from musemo_hf.training.configuration import load_configuration
from musemo_hf.training.corpus import hold_out, load_songs, select
from musemo_hf.training.recogniser.prediction import predict
from musemo_hf.training.recogniser.trainer import RecogniserTrainer

SEEDS = (0, 1, 2)


def ours(config, training, clips, songs):
    """The predictions `(N, 2)` of the recipe, and the processor time of an update in s."""
    trainer = RecogniserTrainer(config, training, clips, accelerator=Accelerator())
    start = process_time()
    model = trainer.train()
    taken = (process_time() - start) / trainer.steps
    return predict(model, songs.spectrogram).clamp(-1, 1).numpy(), taken


@torch.no_grad()
def plain_predictions(plain, spectrogram):
    """The predictions `(N, 2)` of the plain ViT, averaged over the windows of a clip."""
    plain.vit.eval()
    windows = covering_windows(spectrogram, plain.config.encoder_frames)
    parts = [plain(part.flatten(0, 1)).view(*part.shape[:2], 2).mean(dim=1) for part in windows.split(16)]
    return torch.cat(parts).clamp(-1, 1).numpy()


def plainly(config, training, clips, songs):
    """As `ours`, by the shortest loop there is."""
    plain = PlainViT(config, lr=training.lr, seed=training.seed)
    start = process_time()
    for _ in range(training.steps):
        plain.step(clips, training.batch_size)
    taken = (process_time() - start) / training.steps
    return plain_predictions(plain, songs.spectrogram), taken


def measured(config, training, songs, seeds=SEEDS):
    """The comparison of the arms by name, see `compare_arms`, and the processor time of an update of each."""
    fitted, left = inner_split(songs.artist, songs.emotion, songs.year, fraction=0.25)
    clips, held = Clips.of_songs(select(songs, fitted)), Clips.of_songs(select(songs, left))
    arms = {"float32": (ours, False), "bfloat16": (ours, True), "plain loop, float32": (plainly, False)}
    predictions, taken = {name: [] for name in arms}, {name: [] for name in arms}
    for seed in seeds:
        for name, (train, bfloat16) in arms.items():
            settings = dataclasses.replace(training, seed=seed, bfloat16=bfloat16)
            predicted, seconds = train(config, settings, clips, held)
            predictions[name].append(predicted)
            taken[name].append(seconds)
    groups = artist_groups(select(songs, left).artist)
    alternatives = ("plain loop, float32",)
    compared = compare_arms(
        {name: np.stack(each) for name, each in predictions.items()},
        held.emotion.numpy(),
        groups,
        reference="float32",
        alternatives=alternatives,
    )
    return compared, {name: float(np.median(each)) for name, each in taken.items()}, (len(clips), len(held))


def main(deam):
    configuration = load_configuration(BUDGET)
    songs, facts = load_songs(configuration.data, deam, Accelerator())
    songs, training = hold_out(songs, 0), configuration.recogniser_training
    shape = {**configuration.recogniser, "kernel_read_out": False}  # the network alone
    config = MusemoViTConfig(n_frames=songs.spectrogram.shape[-1], **shape)
    compared, taken, (n_clips, n_held) = measured(config, training, songs)
    print(
        f"{facts['name']}: {n_clips:,} songs learnt, {n_held} of other artists predicted, {training.steps} updates of "
        f"{training.batch_size} clips, seeds {', '.join(map(str, SEEDS))}, {threads()}"
    )
    for name, arm in compared.items():
        figures = arm["ccc"]
        text = ", ".join(f"{dimension} {figures[dimension]['value']:.3f}" for dimension in ("valence", "arousal"))
        low, high = figures["mean"]["interval"]
        text += f", mean {figures['mean']['value']:.3f} [{low:.3f}, {high:.3f}]"
        if (delta := arm.get("delta_float32")) is not None:
            text += f", from float32 {delta['value']:+.3f} [{delta['interval'][0]:+.3f}, {delta['interval'][1]:+.3f}]"
        print(f"{name}: CCC {text}; {1000 * taken[name]:.0f} ms of the processor an update")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deam", metavar="DIR", required=True, help="the folder of DEAM")
    main(parser.parse_args().deam)

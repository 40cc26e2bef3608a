"""A training epoch, and the prediction of a song, of the recogniser: python -m benchmarks recogniser [--deam DIR].

The aims are an epoch over 1,600 ten-second songs in 60 s, a 45 s song in 1 s, and the whole process of `musemo predict`
for such a song in 3 s, of which starting takes 2, all on two cores. Beside ours runs
what a user would write with transformers' own ViT of the same shape: a loop in float32 without augmentation, averaged
weights or kernel read-out, and a prediction by librosa and that ViT.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import librosa
import numpy as np
import soundfile
import torch
from accelerate import Accelerator
from torch.nn import functional
from transformers import ViTModel

from benchmarks.timing import music, seconds, threads
from musemo_hf.audio.decoding import resample
from musemo_hf.commands.checkpoints import load_predictor
from musemo_hf.commands.predict import table
from musemo_hf.models.vit import MusemoViTConfig
from musemo_hf.pipelines.emotion_path import emotion_path, window_starts
from musemo_hf.training.clips import Clips
from musemo_hf.training.configuration import load_configuration
from musemo_hf.training.recogniser.trainer import RecogniserTrainer

BUDGET = Path(__file__).resolve().parent.parent / "training/configs/budget.yaml"
N_SONGS, N_FRAMES = 1600, 431  # ten seconds each
TURNS, UPDATES = 8, 5  # 40 updates, in turns with what is compared
SONG = 45.0  # s
AIM_EPOCH, AIM_SONG, AIM_START = 60.0, 1.0, 2.0  # s


class PlainViT:
    """transformers' ViT with a linear head on the mean of its tokens, trained by the shortest loop there is."""

    def __init__(self, config, device="cpu", lr=1e-3, seed=0):
        torch.manual_seed(seed)
        self.config = config
        self.vit = ViTModel(config.to_encoder_config(), add_pooling_layer=False).to(device)
        self.head = torch.nn.Linear(config.hidden_size, 2).to(device)
        self.parameters = [*self.vit.parameters(), *self.head.parameters()]
        self.optimizer = torch.optim.AdamW(self.parameters, lr)

    def __call__(self, spectrogram):
        """Emotion `(B, 2)` of normalised log-mels `(B, 1, 128, n_frames)`."""
        padded = functional.pad(spectrogram, (0, self.config.padded_frames - spectrogram.shape[-1]), value=-1.0)
        return self.head(self.vit(padded).last_hidden_state[:, 1:].mean(dim=1))

    def step(self, clips, batch_size):
        """One update; returns the loss."""
        chosen = torch.randint(len(clips), (batch_size,))
        start = int(torch.randint(0, clips.spectrogram.shape[-1] - self.config.encoder_frames + 1, ()))
        spectrogram = clips.spectrogram[chosen, ..., start : start + self.config.encoder_frames]
        self.optimizer.zero_grad()
        loss = functional.mse_loss(self(spectrogram), clips.emotion[chosen])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        return loss.item()


def random_clips(count, n_frames=N_FRAMES):
    generator = torch.Generator().manual_seed(0)
    return Clips(
        torch.rand(count, 1, 128, n_frames, generator=generator) * 2 - 1,
        torch.rand(count, 2, generator=generator) * 2 - 1,
    )


def epoch(config, training, clips, what, turns=TURNS, updates=UPDATES):
    """Line of an epoch: measured on some updates, and scaled to as many as draw `N_SONGS` clips."""
    start = perf_counter()
    trainer = RecogniserTrainer(config, training, clips, accelerator=Accelerator())
    set_up = perf_counter() - start
    plain, batch_size = PlainViT(config, trainer.parallel.device), training.batch_size

    def ours():
        for _ in range(updates):
            trainer.update()["loss"].item()
            trainer.step += 1

    def theirs():
        for _ in range(updates):
            plain.step(trainer.clips, batch_size)

    per_update = [taken / updates for taken in seconds(ours, theirs, repeats=turns)]
    one, other = (update * N_SONGS / batch_size for update in per_update)
    precision = "bfloat16" if training.bfloat16 else "float32"
    return (
        f"training, {what}, {precision}, batch {batch_size}, {threads()}, {trainer.parallel.device}: {one:.1f} s an "
        f"epoch over {N_SONGS:,} ten-second songs (aim: {AIM_EPOCH:.0f} s), scaled from {turns * updates} updates, "
        f"against {other:.1f} s of transformers' ViT of that shape in a plain float32 loop, {other / one:.1f} x as "
        f"fast; {set_up:.1f} s once before the first update, with {len(clips):,} songs"
    )


def epochs():
    configuration = load_configuration(BUDGET)
    training, clips = configuration.recogniser_training, random_clips(N_SONGS)
    config = MusemoViTConfig(n_frames=N_FRAMES, **configuration.recogniser)
    if config.window_frames is not None:
        yield epoch(config, training, clips, f"budget.yaml (a window of {config.window_frames} frames a clip)")
    # the kernel read-out has no part in an update
    whole = configuration.recogniser | {"window_frames": None, "kernel_read_out": False}
    what = f"whole clips of {N_FRAMES} frames" if config.window_frames is not None else "budget.yaml"
    yield epoch(MusemoViTConfig(n_frames=N_FRAMES, **whole), training, clips, what)


def song_file(folder, deam):
    """A 45 s mp3 at 44.1 kHz, stereo, and what it is: songs of a DEAM folder end to end, or a synthesised one."""
    if deam is None:
        (samples,), kind = music(SONG)
    else:
        count = int(SONG / 10) + 1  # files of ten seconds at least
        songs, kind = music(SONG, count, deam)
        samples, kind = np.concatenate(songs)[: round(SONG * 22050)], f"{kind} end to end"
    path = Path(folder) / "song.mp3"
    soundfile.write(path, np.repeat(resample(samples, 22050, 44100)[:, None], 2, axis=1), 44100)
    return path, kind


@torch.no_grad()
def plainly(vit, file, length):
    """(valence, arousal) of a file by librosa and transformers' ViT, on the windows that ours reads."""
    samples, rate = librosa.load(file, sr=22050)
    windows = np.stack([samples[start : start + length] for start in window_starts(len(samples), length, length / 2)])
    power = librosa.feature.melspectrogram(y=windows, sr=rate, n_fft=2048, hop_length=512, pad_mode="constant")
    decibels = librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)
    normalised = torch.from_numpy((np.clip(decibels, -60, 40) + 10) / 50)[:, None].float()
    return vit(normalised.to(vit.head.weight.device)).mean(dim=0).cpu()


def prediction(file, kind, repeats=5, cold_repeats=3):
    """Line of a song read from file to table: by a model that is loaded, and by the command as a whole."""
    model, extractor = load_predictor("recogniser")
    shape = load_configuration(BUDGET).recogniser | {"window_frames": None, "kernel_read_out": False}
    vit = PlainViT(MusemoViTConfig(n_frames=extractor.n_frames, **shape), model.device)
    length = extractor.settings.n_samples(extractor.n_frames)
    vit.vit.eval()
    ours, theirs = seconds(
        lambda: table({file.name: emotion_path(model, extractor, file)}, "recogniser"),
        lambda: plainly(vit, file, length),
        repeats=repeats,
    )
    command = [sys.executable, "-m", "musemo_hf.cli", "predict", str(file), "--checkpoint", "recogniser"]
    (cold,) = seconds(lambda: subprocess.run(command, check=True, capture_output=True), repeats=cold_repeats)
    return (
        f"prediction, a {SONG:.0f} s mp3 ({kind}), packaged recogniser, {threads()}, {model.device}: {ours:.2f} s from "
        f"file to table with the model loaded (aim: {AIM_SONG:.0f} s), against {theirs:.2f} s of librosa and "
        f"transformers' ViT of the shape of budget.yaml, {theirs / ours:.1f} x as fast; {cold:.1f} s as the whole "
        f"process of `musemo predict`, {cold - ours:.1f} s of it to start (aim: {AIM_START:.0f} s)"
    )


def main(deam=None):
    for line in epochs():
        print(line)
    with tempfile.TemporaryDirectory() as folder:
        print(prediction(*song_file(folder, deam)))


if __name__ == "__main__":
    main()

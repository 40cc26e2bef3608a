"""Log-mel -> audio against librosa: python -m benchmarks inversion [--deam DIR]. The aim is 4 times as fast."""

import librosa
import numpy as np
import torch

from benchmarks.timing import CONDITIONS, music, quiet_and_busy, threads
from musemo_hf.audio.griffin_lim import griffin_lim
from musemo_hf.audio.inversion import mel_to_magnitude
from musemo_hf.audio.mel import MelSettings, log_mel, mel_filters, mel_power

N_ITER = 32


def by_librosa(power):
    magnitude = librosa.feature.inverse.mel_to_stft(power, sr=22050, n_fft=2048)
    audio = librosa.griffinlim(magnitude, n_iter=N_ITER, hop_length=512, random_state=0, pad_mode="constant")
    return magnitude, audio


def by_musemo(decibels):
    magnitude = mel_to_magnitude(decibels)
    return magnitude[0].numpy(), griffin_lim(magnitude, n_iter=N_ITER)[0].numpy()


def quality(magnitude, audio, power):
    """Mel residual ||M x - y|| / ||y|| and spectral convergence of the phases found."""
    residual = np.linalg.norm(mel_filters(MelSettings()).numpy() @ magnitude**2 - power) / np.linalg.norm(power)
    rebuilt = np.abs(librosa.stft(audio, n_fft=2048, hop_length=512, pad_mode="constant"))
    frames = min(rebuilt.shape[1], magnitude.shape[1])
    error = np.linalg.norm(rebuilt[:, :frames] - magnitude[:, :frames]) / np.linalg.norm(magnitude)
    return f"mel residual {residual:.4f}, spectral convergence {error:.4f}"


def main(deam=None, repeats=3):
    clips, kind = music(30, 1, deam)
    waveform = torch.from_numpy(clips[0])
    power, decibels = mel_power(waveform).numpy(), log_mel(waveform)[None]
    pairs = quiet_and_busy(lambda: by_musemo(decibels), lambda: by_librosa(power), repeats=repeats)
    print(
        f"inversion, 128 x {power.shape[1]} ({kind}), {N_ITER} iterations, {threads()}: "
        f"{quality(*by_musemo(decibels), power)} against {quality(*by_librosa(power), power)} of librosa"
    )
    for where, (ours, theirs) in zip(CONDITIONS, zip(*pairs, strict=True), strict=True):
        print(f"inversion, {where}: {ours:.2f} s against {theirs:.2f} s of librosa, {theirs / ours:.1f} x as fast")


if __name__ == "__main__":
    main()

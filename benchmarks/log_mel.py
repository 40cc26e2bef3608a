"""Log-mels of a batch of 16 against librosa: python -m benchmarks log_mel [--deam DIR]. The aim is 3 times as fast."""

import librosa
import numpy as np
import torch

from benchmarks.timing import CONDITIONS, music, quiet_and_busy, threads
from musemo_hf.audio.mel import log_mel


def by_librosa(clips):
    power = librosa.feature.melspectrogram(y=clips, sr=22050, n_fft=2048, hop_length=512, pad_mode="constant")
    return librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)


def main(deam=None):
    clips, kind = music(30, 16, deam)
    batch = np.stack(clips)
    tensor = torch.from_numpy(batch)
    difference = np.abs(np.clip(log_mel(tensor).numpy(), -60, 40) - np.clip(by_librosa(batch), -60, 40)).max()
    pairs = quiet_and_busy(
        lambda: log_mel(tensor), lambda: by_librosa(batch), lambda: [by_librosa(clip) for clip in clips]
    )
    print(
        f"log-mel, 16 clips of {len(clips[0]) / 22050:.0f} s ({kind}), {threads()}; largest difference from librosa "
        f"{difference:.0e} dB after clipping"
    )
    for where, (ours, at_once, one_by_one) in zip(CONDITIONS, zip(*pairs, strict=True), strict=True):
        theirs = min(at_once, one_by_one)
        print(
            f"log-mel, {where}: {1e3 * ours:.0f} ms against {1e3 * theirs:.0f} ms of librosa ({1e3 * at_once:.0f} at "
            f"once, {1e3 * one_by_one:.0f} one by one), {theirs / ours:.1f} x as fast"
        )


if __name__ == "__main__":
    main()

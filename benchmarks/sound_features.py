"""Features of sound by YAMNet: python -m benchmarks sound_features [--deam DIR]. The aim: 1,600 in 4 minutes."""

import tempfile
from pathlib import Path
from time import process_time

import soundfile

from benchmarks.timing import CONDITIONS, music, quiet_and_busy, threads
from musemo_hf.pipelines.embedders.find import find_embedder
from musemo_hf.pipelines.embedders.pretrained_files import PretrainedModelError
from musemo_hf.pipelines.embedders.sound_features import sound_features

N_FILES, ALL_FILES = 32, 1600


def written(folder):
    """Ten-second songs as mp3 files."""
    files = [Path(folder, f"{index}.mp3") for index in range(N_FILES)]
    for file, clip in zip(files, music(10.3, N_FILES)[0], strict=True):
        soundfile.write(file, clip, 22050)
    return files


def report(files, kind, repeats):
    for route, resynthesise in (("as they are", False), ("through log-mel and inversion", True)):
        spent = []

        def embed(resynthesise=resynthesise, spent=spent):
            start = process_time()
            sound_features(files, resynthesise=resynthesise, cache=False, progress=False)
            spent.append(process_time() - start)

        [pair] = quiet_and_busy(embed, repeats=repeats)
        for where, taken in zip(CONDITIONS, pair, strict=True):
            print(
                f"sound features by YAMNet, {len(files)} files of 10 s ({kind}) {route}, {threads()}, {where}: "
                f"{taken:.2f} s, {taken * ALL_FILES / len(files):.0f} s for {ALL_FILES:,}"
            )
        print(f"sound features by YAMNet, {route}: {min(spent) / len(files):.3f} s of processor time a file")


def main(deam=None, repeats=2):
    try:
        find_embedder("yamnet")
    except PretrainedModelError as error:
        print(f"sound features were not measured: {error}")
        return
    if deam is not None:
        files = sorted(Path(deam).rglob("*.mp3"))[:N_FILES]
        report(files, "real songs", repeats)
        return
    with tempfile.TemporaryDirectory() as folder:
        report(written(folder), "synthesised", repeats)


if __name__ == "__main__":
    main()

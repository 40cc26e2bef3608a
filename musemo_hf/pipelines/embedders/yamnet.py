"""The features of YAMNet, a network that was trained to recognise the 521 sound classes of AudioSet.

from musemo_hf.pipelines.embedders.yamnet import yamnet_embedder

features = yamnet_embedder().embed_audio(waveforms, sampling_rate=22050)  # (B, 2048)

It is the judge of generators: neither they nor their training nor the recogniser that conditions them may use it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from musemo_hf.audio.clip_threads import map_clips
from musemo_hf.audio.decoding import resample
from musemo_hf.pipelines.embedders.audio_embedder import AudioEmbedder, audio_embedder
from musemo_hf.pipelines.embedders.pretrained_files import PretrainedFile, PretrainedModelError

NAME = "yamnet-v1"
YAMNET = PretrainedFile(
    "YAMNet",
    "thelou1s/yamnet",
    "lite-model_yamnet_classification_tflite_1.tflite",
    "10c95ea3eb9a7bb4cb8bddf6feb023250381008177ac162ce169694d05c317de",
    extra="yamnet",
)
SAMPLING_RATE = 16_000  # Hz
PATCH, HOP = 15_600, 7_220  # samples: 0.975 s, and 21 patches in ten seconds
N_VALUES, N_CLASSES = 1024, 521
EMBEDDING = "tower0/network/layer28/reduce_mean"  # the tensor before the classes


class Patches(NamedTuple):
    """What YAMNet says of the patches of one clip.

    Attributes:
        values: The values before the last layer, float32 `(n_patches, 1024)`, at least 0.
        class_scores: The scores of the classes of AudioSet in [0, 1], float32 `(n_patches, 521)`.
    """

    values: np.ndarray
    class_scores: np.ndarray


class Yamnet:
    """Runs YAMNet with one thread for each clip, since an interpreter serves one thread at a time.

    Args:
        path: The file of the model.

    Raises:
        PretrainedModelError: The extra `yamnet` is not installed.
    """

    def __init__(self, path: Path) -> None:
        interpreter = _reader()
        # the default delegate does not write the tensor of the embedding
        resolver = interpreter.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self._make = partial(
            interpreter.Interpreter,
            str(path),
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=resolver,
            num_threads=1,
        )
        self._idle: list[_Network] = []

    def patches(self, samples: np.ndarray, sampling_rate: float) -> Patches:
        """Read one clip in patches of 0.975 s, one every 0.451 s.

        Args:
            samples: The mono samples `(samples,)`, float32. A clip that is shorter than a patch is padded with silence.
            sampling_rate: The sampling rate of the clip in Hz.
        """
        samples = resample(samples, sampling_rate, SAMPLING_RATE).astype(np.float32)
        samples = np.pad(samples, (0, max(PATCH - len(samples), 0)))
        starts = range(0, len(samples) - PATCH + 1, HOP)
        with self._network() as network:
            values, class_scores = zip(*(network.run(samples[start : start + PATCH]) for start in starts), strict=True)
        return Patches(np.stack(values), np.stack(class_scores))

    def features(self, samples: np.ndarray, sampling_rate: float) -> np.ndarray:
        """Return the mean and the deviation over the patches of one clip, float32 `(2048,)`; see `patches`."""
        values = self.patches(samples, sampling_rate).values
        return np.concatenate([values.mean(axis=0), values.std(axis=0)])

    def all_features(self, waveforms: Sequence[np.ndarray], sampling_rate: float) -> np.ndarray:
        """Return the features of clips, float32 `(B, 2048)`, with as many threads as torch has."""
        return np.stack(map_clips(partial(self.features, sampling_rate=sampling_rate), waveforms))

    @contextmanager
    def _network(self) -> Iterator[_Network]:
        """Give an interpreter that no other thread uses, and make one where all are in use."""
        try:
            network = self._idle.pop()
        except IndexError:
            network = _Network(self._make())
        yield network
        self._idle.append(network)


class _Network:
    """One interpreter with its tensors."""

    def __init__(self, interpreter: Any) -> None:
        interpreter.allocate_tensors()
        self.interpreter = interpreter
        self.input, self.output = (
            details[0]["index"] for details in (interpreter.get_input_details(), interpreter.get_output_details())
        )
        embedding = next(tensor for tensor in interpreter.get_tensor_details() if tensor["name"] == EMBEDDING)
        self.embedding, (self.scale, self.zero) = embedding["index"], embedding["quantization"]

    def run(self, patch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the 1,024 values and the 521 scores of one patch `(15600,)`."""
        self.interpreter.set_tensor(self.input, patch)
        self.interpreter.invoke()
        quantised = self.interpreter.get_tensor(self.embedding).reshape(-1).astype(np.float32)
        return (quantised - self.zero) * np.float32(self.scale), self.interpreter.get_tensor(self.output)[0]


def _reader() -> Any:
    try:
        from ai_edge_litert import interpreter
    except ImportError as error:
        raise PretrainedModelError(
            "YAMNet: expected the package ai-edge-litert, found none; install it with `pip install 'musemo-hf[yamnet]'`"
        ) from error
    return interpreter


@cache
def load_yamnet() -> Yamnet:
    """Return YAMNet; its file is found and verified, and the network is loaded, when this is first called.

    Raises:
        PretrainedModelError: The file or the extra `yamnet` is missing, or the file has another content.
    """
    _reader()  # before anything is downloaded
    return Yamnet(YAMNET.locate())


def yamnet_embedder() -> AudioEmbedder:
    """Return the embedder "yamnet-v1": mean and deviation over patches of YAMNet's 1,024 values, 2,048 features.

    Raises:
        PretrainedModelError: The file or the extra `yamnet` is missing, or the file has another content.
    """
    return audio_embedder(NAME, 2 * N_VALUES, SAMPLING_RATE, load_yamnet().all_features)

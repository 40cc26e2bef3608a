"""Embedders by name: registered ones, YAMNet, and Hugging Face audio models by repository or folder."""

from pathlib import Path

from musemo_hf.evaluation.spaces.embedder_factories import SHORT_NAMES
from musemo_hf.evaluation.spaces.embedders import Embedder, embedder_names, get_embedder
from musemo_hf.pipelines.embedders.audio_embedder import AudioEmbedder


def find_embedder(name: str) -> Embedder:
    """Return an embedder by name.

    Args:
        name: The name of a registered embedder, "yamnet", or the Hub repository or the folder of a Hugging Face audio
            model, such as "laion/clap-htsat-unfused".

    Raises:
        ValueError: There is no such embedder, or the model has no audio feature extractor.
        PretrainedModelError: The file or the extra of YAMNet is missing.
        OSError: There is no such model, or it cannot be fetched.
    """
    if name in embedder_names() or name in SHORT_NAMES:
        return get_embedder(name)
    if Path(name).is_dir() or name.count("/") == 1:
        from musemo_hf.pipelines.embedders.audio_models import hub_embedder  # loads transformers

        return hub_embedder(name)
    known = ", ".join(embedder_names())
    raise ValueError(
        f"expected an embedder out of {known}, or the repository or folder of a Hugging Face audio model, got {name!r}"
    )


def find_audio_embedder(name: str) -> AudioEmbedder:
    """Return an embedder that reads audio by its name; see `find_embedder`.

    Raises:
        ValueError: There is no such embedder, or it reads log-mels.
    """
    embedder = find_embedder(name)
    if not isinstance(embedder, AudioEmbedder):
        raise ValueError(f"expected an embedder of audio, such as yamnet, got {embedder.name}, which reads log-mels")
    return embedder

"""Music and emotion for the Hugging Face ecosystem.

Audio becomes log-mels, models turn emotion into log-mels and log-mels into emotion, and the evaluation measures both.
Importing this package loads nothing: each name below is imported from its module when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from musemo_hf.evaluation.spaces.embedder_factories import FACTORIES, SHORT_NAMES

__version__ = "0.2.0"

# public name -> the module that defines it
_EXPORTS = {
    "MusemoFeatureExtractor": "musemo_hf.audio.feature_extraction_musemo",
    "DeamSpectrograms": "musemo_hf.data.deam.deam",
    "MusemoGanConfig": "musemo_hf.models.gan",
    "MusemoGanGenerator": "musemo_hf.models.gan",
    "MusemoGanDiscriminator": "musemo_hf.models.gan",
    "MusemoFlowGenerator": "musemo_hf.models.flow",
    "MusemoUNetGenerator": "musemo_hf.models.unet",
    "MusemoVocoder": "musemo_hf.models.vocoder",
    "MusemoViTConfig": "musemo_hf.models.vit",
    "MusemoViTForEmotionRegression": "musemo_hf.models.vit",
    "MusemoPipeline": "musemo_hf.pipelines.emotion_to_music",
    "metric_path": "musemo_hf.metrics",
    "embedded_checkpoint": "musemo_hf.checkpoints",
}

__all__ = ["__version__", *_EXPORTS]

if TYPE_CHECKING:
    from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
    from musemo_hf.checkpoints import embedded_checkpoint
    from musemo_hf.data.deam.deam import DeamSpectrograms
    from musemo_hf.metrics import metric_path
    from musemo_hf.models.flow import MusemoFlowGenerator
    from musemo_hf.models.gan import MusemoGanConfig, MusemoGanDiscriminator, MusemoGanGenerator
    from musemo_hf.models.unet import MusemoUNetGenerator
    from musemo_hf.models.vit import MusemoViTConfig, MusemoViTForEmotionRegression
    from musemo_hf.models.vocoder import MusemoVocoder
    from musemo_hf.pipelines.emotion_to_music import MusemoPipeline


def _yamnet() -> Any:
    from musemo_hf.pipelines.embedders.yamnet import yamnet_embedder

    return yamnet_embedder()


# here, since the evaluation, which has the registry, must not import the pipelines, which have this embedder
FACTORIES["yamnet-v1"] = _yamnet
SHORT_NAMES["yamnet"] = "yamnet-v1"


def __getattr__(name: str) -> Any:
    if name not in _EXPORTS:
        raise AttributeError(f"module 'musemo_hf' has no attribute {name!r}; it exports {', '.join(_EXPORTS)}")
    return getattr(import_module(_EXPORTS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

"""Registration of the task and the feature extractor with transformers."""

from transformers import AutoFeatureExtractor, AutoModel
from transformers.pipelines import PIPELINE_REGISTRY

from musemo_hf.audio.feature_extraction_musemo import MusemoFeatureExtractor
from musemo_hf.models.gan import MusemoGanConfig
from musemo_hf.models.vit import MusemoViTConfig
from musemo_hf.pipelines.music_to_emotion import TASK, MusicToEmotionPipeline


def register() -> None:
    """Make `pipeline("music-emotion-recognition", model=folder)` work without remote code.

    A Hub repository with a pipeline of its own still requires `trust_remote_code=True`, because transformers prefers
    the repository's code to a registered class.
    """
    for config in (MusemoGanConfig, MusemoViTConfig):
        AutoFeatureExtractor.register(config, MusemoFeatureExtractor, exist_ok=True)
    if PIPELINE_REGISTRY.supported_tasks.get(TASK, {}).get("impl") is not MusicToEmotionPipeline:
        PIPELINE_REGISTRY.register_pipeline(
            TASK, pipeline_class=MusicToEmotionPipeline, pt_model=AutoModel, type="multimodal"
        )

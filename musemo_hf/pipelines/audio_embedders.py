"""Embedders of audio under the names that they had before `musemo_hf.pipelines.embedders`."""

from musemo_hf.pipelines.embedders.audio_embedder import AudioEmbedder
from musemo_hf.pipelines.embedders.audio_models import audio_model_embedder
from musemo_hf.pipelines.embedders.recogniser import recogniser_embedder

__all__ = ["AudioEmbedder", "audio_model_embedder", "recogniser_embedder"]

"""Emotion -> log-mel by few-step flow matching, as a diffusers model."""

from .emotion import check_emotion
from .modeling_flow import MusemoFlowGenerator

__all__ = ["MusemoFlowGenerator", "check_emotion"]

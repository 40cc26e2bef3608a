"""Emotion -> log-mel by few-step flow matching, as a diffusers model."""

from .modeling_flow import MusemoFlowGenerator, check_emotion

__all__ = ["MusemoFlowGenerator", "check_emotion"]

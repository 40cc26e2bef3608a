"""Emotion to log-mel by few-step flow matching, as a diffusers model."""

from .modeling_flow import MusemoFlowGenerator

__all__ = ["MusemoFlowGenerator"]

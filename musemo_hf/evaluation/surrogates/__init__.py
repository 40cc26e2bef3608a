"""Noise without music, and the skill of a generator relative to it.

Statistics of the reference that a surrogate may know, the samplers that draw from them, transforms that take music
apart, and the skill.
"""

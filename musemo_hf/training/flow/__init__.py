"""Training of the flow-matching generator.

The trainer and its settings.
"""

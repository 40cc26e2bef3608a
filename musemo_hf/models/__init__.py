"""The networks, one folder each.

The conditional GAN, the flow-matching generator and the recogniser. Each folder is self-contained, because it is
pushed to the Hub as it stands.
"""

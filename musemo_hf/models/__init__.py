"""The networks, one folder each: the conditional GAN, the flow-matching generator and the recogniser.

Each folder is self-contained, because it is pushed to the Hub as it stands. Importing this package registers the
recogniser with transformers' Auto classes, through which a GAN discriminator loads a pretrained recogniser.
"""

from . import vit as vit

"""Training of the conditional GAN.

One step of both networks, its losses and augmentation, the balance of their updates, and the monitors that stop a
training that has failed.
"""

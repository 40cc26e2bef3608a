"""The baseline GAN: the published recipe as a tutorial would write it, with which our training is compared.

256 channels, float32, contiguous NCHW, nothing compiled, `.item()` in the loop, the generator run twice a step, both
networks updated every step. Generator: noise 100 and an MLP of (valence, arousal), 2 -> 128 -> 256; linear to
8 x frames / 16; four residual upsampling stages; self-attention after the first. Discriminator: 64 channels, spectral
normalisation, the emotion as a second input map. Binary cross-entropy, Adam.
"""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

NOISE, EMBEDDING = 100, 256


class UpBlock(nn.Module):
    """Doubles height and width."""

    def __init__(self, channels, out_channels):
        super().__init__()
        self.up = nn.Upsample(scale_factor=2)
        self.conv1, self.norm1 = nn.Conv2d(channels, out_channels, 3, padding=1), nn.BatchNorm2d(out_channels)
        self.conv2, self.norm2 = nn.Conv2d(out_channels, out_channels, 3, padding=1), nn.BatchNorm2d(out_channels)
        self.skip = nn.Conv2d(channels, out_channels, 1)

    def forward(self, x):
        """See the class."""
        x = self.up(x)
        hidden = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(hidden)) + self.skip(x))


class Attention(nn.Module):
    """Self-attention (Zhang et al. 2019) with the whole matrix of positions by positions in memory."""

    def __init__(self, channels):
        super().__init__()
        self.query, self.key = nn.Conv2d(channels, channels // 8, 1), nn.Conv2d(channels, channels // 8, 1)
        self.value, self.gamma = nn.Conv2d(channels, channels, 1), nn.Parameter(torch.zeros(1))

    def forward(self, x):
        """See the class."""
        query, key, value = (part(x).flatten(2) for part in (self.query, self.key, self.value))
        weights = torch.softmax(query.transpose(1, 2) @ key, dim=-1)
        return x + self.gamma * (value @ weights.transpose(1, 2)).view_as(x)


class Generator(nn.Module):
    """Turns noise and emotion into a normalised log-mel."""

    def __init__(self, n_frames, channels=256):
        super().__init__()
        self.n_frames, self.channels, self.width = n_frames, channels, -(-n_frames // 16)
        self.emotion = nn.Sequential(nn.Linear(2, 128), nn.ReLU(), nn.Linear(128, EMBEDDING))
        self.project = nn.Linear(NOISE + EMBEDDING, channels * 8 * self.width)
        widths = [channels, channels, channels // 2, channels // 4, channels // 8]
        self.blocks = nn.ModuleList(UpBlock(*pair) for pair in pairwise(widths))
        self.attention = Attention(channels)
        self.last = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, noise, emotion):
        """See the class."""
        x = self.project(torch.cat([noise, self.emotion(emotion)], dim=1)).view(-1, self.channels, 8, self.width)
        x = self.attention(self.blocks[0](x))
        for block in self.blocks[1:]:
            x = block(x)
        return torch.tanh(self.last(x))[..., : self.n_frames]


class Discriminator(nn.Module):
    """Judges normalised log-mels of an emotion by a logit."""

    def __init__(self, n_frames, channels=64):
        super().__init__()
        self.emotion = nn.Linear(2, 128 * n_frames)
        widths = [2, channels, 2 * channels, 4 * channels, 8 * channels]
        self.convolutions = nn.ModuleList(
            spectral_norm(nn.Conv2d(before, after, 4, stride=2, padding=1)) for before, after in pairwise(widths)
        )
        self.last = spectral_norm(nn.Linear(widths[-1], 1))

    def forward(self, spectrogram, emotion):
        """See the class."""
        x = torch.cat([spectrogram, self.emotion(emotion).view_as(spectrogram)], dim=1)
        for convolution in self.convolutions:
            x = functional.leaky_relu(convolution(x), 0.2)
        return self.last(x.mean(dim=(2, 3)))


class BaselineGan:
    """Trains the baseline: each `step()` updates the discriminator and then the generator once.

    Args:
        clips: The normalised log-mels `(N, 1, 128, n_frames)`.
        emotion: The emotions `(N, 2)`.
        batch_size: The number of clips in a step.
        channels: The number of channels of the generator.
        discriminator_channels: The number of channels of the discriminator.
        device: The device of both networks.
        seed: The seed of torch, for weights and batches.
    """

    def __init__(self, clips, emotion, batch_size, channels=256, discriminator_channels=64, device="cpu", seed=0):
        torch.manual_seed(seed)
        self.clips, self.emotion, self.batch_size, self.device = clips, emotion, batch_size, device
        self.generator = Generator(clips.shape[-1], channels).to(device)
        self.discriminator = Discriminator(clips.shape[-1], discriminator_channels).to(device)
        self.for_generator = torch.optim.Adam(self.generator.parameters(), 2e-4, (0.5, 0.999))
        self.for_discriminator = torch.optim.Adam(self.discriminator.parameters(), 1e-4, (0.5, 0.999))
        self.loss = nn.BCEWithLogitsLoss()

    def step(self):
        """Update both networks, and return both losses and the accuracy."""
        chosen = torch.randint(len(self.clips), (self.batch_size,))
        real, emotion = self.clips[chosen].to(self.device), self.emotion[chosen].to(self.device)
        valid = torch.full((self.batch_size, 1), 0.9, device=self.device)
        fake = torch.zeros(self.batch_size, 1, device=self.device)
        noise = torch.randn(self.batch_size, NOISE, device=self.device)
        self.for_discriminator.zero_grad()
        with torch.no_grad():
            made = self.generator(noise, emotion)
        judged, judged_made = self.discriminator(real, emotion), self.discriminator(made, emotion)
        discriminator_loss = self.loss(judged, valid) + self.loss(judged_made, fake)
        discriminator_loss.backward()
        nn.utils.clip_grad_norm_(self.discriminator.parameters(), 1.0)
        self.for_discriminator.step()
        self.for_generator.zero_grad()
        made = self.generator(torch.randn(self.batch_size, NOISE, device=self.device), emotion)
        generator_loss = self.loss(self.discriminator(made, emotion), torch.ones_like(fake))
        generator_loss.backward()
        nn.utils.clip_grad_norm_(self.generator.parameters(), 1.0)
        self.for_generator.step()
        accuracy = ((judged > 0).float().mean() + (judged_made < 0).float().mean()) / 2
        return discriminator_loss.item(), generator_loss.item(), accuracy.item()

    @torch.no_grad()
    def generate(self, emotion, seed=0):
        """Generate normalised log-mels `(B, 1, 128, n_frames)`, in batches of 16."""
        self.generator.eval()
        noise = torch.randn(len(emotion), NOISE, generator=torch.Generator().manual_seed(seed))
        parts = zip(noise.split(16), emotion.split(16), strict=True)
        made = [self.generator(part.to(self.device), wanted.to(self.device)).cpu() for part, wanted in parts]
        self.generator.train()
        return torch.cat(made)

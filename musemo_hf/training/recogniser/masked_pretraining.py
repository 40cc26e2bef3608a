"""Masked-spectrogram pretraining of a recogniser's encoder, without labels.

model = MusemoViTForEmotionRegression(config)
MaskedPretraining(model, spectrogram, RecogniserTraining(pretraining_steps=2000)).train()
"""

from dataclasses import asdict
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional
from transformers import get_cosine_schedule_with_warmup

from musemo_hf.models.vit import MusemoViTForEmotionRegression
from musemo_hf.models.vit.windows import random_windows
from musemo_hf.training.checkpoint import shape_of
from musemo_hf.training.identity import hash_of
from musemo_hf.training.loop import TrainingLoop
from musemo_hf.training.parallel import Parallel
from musemo_hf.training.sampler import batch_indices, seed_step, step_generator

from .augmentation import FLOOR, shift_gain
from .settings import RecogniserTraining

MASK_SHARE = 0.75  # of the patches are hidden (He et al. 2022, section 4.1)
BLOCK = 2  # side of the hidden blocks, in patches
STREAM = 2000  # of random numbers, so that they differ from those of the recogniser's own training
DECODER_LAYERS = 1  # He et al. 2022, table 1a: depth hardly matters where the encoder is trained further


class MaskedAutoencoder(nn.Module):
    """Encodes the visible patches, and predicts the others from them (masked autoencoder, He et al. 2022).

    Args:
        model: The recogniser, whose encoder is shared. Its patches must tile the spectrogram.
    """

    def __init__(self, model: MusemoViTForEmotionRegression) -> None:
        super().__init__()
        config = model.config
        self.encoder, self.config, size = model.vit, config, config.hidden_size
        self.patch = tuple(config.patch_size)
        self.grid = config.grid
        n_patches, n_values = self.grid[0] * self.grid[1], self.patch[0] * self.patch[1]
        self.into = nn.Linear(size, size)
        self.mask_token = nn.Parameter(0.02 * torch.randn(size))
        self.position = nn.Parameter(0.02 * torch.randn(n_patches, size))
        layers = [
            nn.TransformerEncoderLayer(
                size, config.num_attention_heads, 2 * size, 0.0, "gelu", batch_first=True, norm_first=True
            )
            for _ in range(DECODER_LAYERS)
        ]
        self.decoder = nn.Sequential(*layers, nn.LayerNorm(size), nn.Linear(size, n_values))

    def patches(self, spectrogram: Tensor) -> Tensor:
        """Cut `(B, 1, n_mels, n_frames)`, padded with -60 dB, into `(B, patches, values)`, row by row of the grid."""
        missing = self.config.padded_frames - spectrogram.shape[-1]
        padded = functional.pad(spectrogram, (0, missing), value=FLOOR)
        return functional.unfold(padded, self.patch, stride=self.patch).transpose(1, 2)

    def forward(self, spectrogram: Tensor, masked: Tensor) -> Tensor:
        """Return the mean squared error of the masked patches, each normalised by its mean and deviation (ibid., 3).

        Args:
            spectrogram: Normalised log-mels `(B, 1, n_mels, n_frames)`.
            masked: The hidden patches, bool `(B, patches)`, equally many in each row.
        """
        patches = self.patches(spectrogram)
        drawn = self.decoder(self._decoder_input(patches, masked))
        spread = (patches.var(dim=-1, keepdim=True, unbiased=False) + 1e-4).sqrt()  # 0.5 dB: silence stays silence
        target = (patches - patches.mean(dim=-1, keepdim=True)) / spread
        return (drawn - target)[masked].square().mean()

    def _decoder_input(self, patches: Tensor, masked: Tensor) -> Tensor:
        # hidden before the embeddings too, so that nothing of them can reach the encoder
        seen_only = patches.masked_fill(masked[..., None], FLOOR).transpose(1, 2)
        size = (self.config.n_mels, self.config.padded_frames)
        tokens = self.encoder.embeddings(functional.fold(seen_only, size, self.patch, stride=self.patch))
        n_prefix, width = tokens.shape[1] - masked.shape[1], tokens.shape[-1]
        seen = tokens[:, n_prefix:][~masked].view(len(tokens), -1, width)
        hidden = torch.cat([tokens[:, :n_prefix], seen], dim=1)
        for layer in self.encoder.layers:
            hidden = layer(hidden, None)
        encoded = self.into(self.encoder.layernorm(hidden)[:, n_prefix:])
        full = self.mask_token.to(encoded).expand(len(tokens), masked.shape[1], width).clone()
        full[~masked] = encoded.reshape(-1, width)
        return full + self.position


def draw_mask(n: int, grid: tuple[int, int], share: float, block: int, generator: torch.Generator) -> Tensor:
    """Draw the patches of each clip that are hidden: random blocks of patches, exactly `share` of all patches.

    Args:
        n: The number of clips.
        grid: The numbers of rows and columns of patches.
        share: The share of the patches that are hidden, above 0 and below 1.
        block: The side of a block in patches; 1 hides patches one by one.
        generator: The random numbers.

    Returns:
        bool `(n, rows * columns)`; the block at the limit of the share may be cut.

    Raises:
        ValueError: The share or the block is out of range, or no patch would be visible or none hidden.
    """
    n_patches = grid[0] * grid[1]
    n_hidden = round(share * n_patches)
    if not 0 < n_hidden < n_patches or block < 1:
        raise ValueError(
            f"expected a mask share that hides some of {n_patches} patches and a block from 1, got {share} and {block}"
        )
    coarse = torch.rand(n, -(-grid[0] // block), -(-grid[1] // block), generator=generator)
    fine = coarse.repeat_interleave(block, 1).repeat_interleave(block, 2)[:, : grid[0], : grid[1]]
    order = (fine.reshape(n, -1) + 1e-6 * torch.rand(n, n_patches, generator=generator)).argsort(dim=1)
    return torch.zeros(n, n_patches, dtype=torch.bool).scatter_(1, order[:, :n_hidden], True)


class MaskedPretraining(TrainingLoop):
    """Trains the encoder of a recogniser, in place, to predict hidden patches of unlabelled log-mels.

    Each process makes every update alone, on the whole batch.

    Args:
        model: The recogniser, whose heads stay as they are.
        spectrogram: Normalised log-mels `(N, 1, n_mels, n_frames)`, of training songs only.
        training: The settings `pretraining_*`, and those that are shared with the training of the recogniser.
        run_dir: The folder of the checkpoints and of `pretraining.jsonl`; with None nothing is written.
        parallel: The processes; None for this one only.

    Raises:
        ValueError: The patches overlap.
    """

    def __init__(
        self,
        model: MusemoViTForEmotionRegression,
        spectrogram: Tensor,
        training: RecogniserTraining,
        run_dir: str | Path | None = None,
        parallel: Parallel | None = None,
    ) -> None:
        if model.config.patch_stride != tuple(model.config.patch_size):
            raise ValueError("expected patches that tile the spectrogram for pretraining, got overlapping ones")
        steps = training.pretraining_steps
        super().__init__("pretraining", training, steps, run_dir, parallel or Parallel(Accelerator(), False))
        self.spectrogram, self.training = spectrogram, training
        seed_step(training.seed, 0, STREAM)
        self.network = MaskedAutoencoder(model).to(model.device).train()
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), training.pretraining_lr, (0.9, 0.95), weight_decay=0.05
        )
        self.schedule = get_cosine_schedule_with_warmup(self.optimizer, round(training.warmup * steps), steps)
        self.objects = {"network": self.network, "optimizer": self.optimizer, "schedule": self.schedule}
        data = {"n_clips": len(spectrogram), "spectrograms": hash_of(spectrogram)}
        self.settings = {**asdict(training), "data": data, "config": shape_of(model.config)}

    @property
    def averaged_model(self) -> nn.Module:
        """The encoder itself; its weights are not averaged."""
        return self.network.encoder

    def update(self) -> dict[str, Tensor | float]:
        """Make one step of the optimizer."""
        training, step, network = self.training, self.step, self.network
        seed_step(training.seed, step, STREAM + 1)  # dropout
        generator = step_generator(training.seed, step, STREAM)
        index = torch.from_numpy(batch_indices(len(self.spectrogram), training.batch_size, step, training.seed))
        batch = self.spectrogram[index.to(self.spectrogram.device)]
        batch, _ = shift_gain(batch, torch.zeros(len(batch), 2), generator)
        if network.config.window_frames is not None:
            batch = random_windows(batch, network.config.window_frames)
        masked = draw_mask(len(batch), network.grid, MASK_SHARE, BLOCK, generator)
        values = self.descend(network(batch, masked.to(batch.device)), network, self.optimizer, training.gradient_norm)
        self.schedule.step()
        return values

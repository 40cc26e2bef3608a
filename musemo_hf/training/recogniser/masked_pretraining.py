"""Masked-spectrogram pretraining of a recogniser's encoder: no label is seen.

model = MusemoViTForEmotionRegression(config)
pretrain(model, spectrogram, RecogniserTraining(pretraining_steps=2000))
"""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm
from transformers import get_cosine_schedule_with_warmup

from musemo_hf.models.vit import MusemoViTForEmotionRegression
from musemo_hf.models.vit.windows import random_windows
from musemo_hf.training.checkpoint import (
    check_settings,
    checkpoints,
    read_state,
    read_tensors,
    save_checkpoint,
    shape_of,
)
from musemo_hf.training.interval import is_due
from musemo_hf.training.sampler import batch_indices, seed_step, step_generator

from .augmentation import FLOOR, shift_gain
from .settings import RecogniserTraining

logger = logging.getLogger(__name__)
STREAM = 2000  # of the random numbers, apart from those of the recogniser's own training
MASK_SHARE = 0.75  # of the patches are hidden (He et al. 2022, section 4.1)
BLOCK = 2  # side of the hidden blocks, in patches
DECODER_LAYERS = 1  # He et al. 2022, table 1a: depth hardly matters where the encoder is trained further


class MaskedAutoencoder(nn.Module):
    """Encodes the patches that are seen, and draws the others from them (MAE, He et al. 2022).

    Args:
        model: the recogniser; its encoder is trained in place. Patches must tile the spectrogram.
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
        """`(B, 1, n_mels, n_frames)` -> `(B, patches, values)`, row by row of the grid, padded with -60 dB."""
        missing = self.config.padded_frames - spectrogram.shape[-1]
        padded = functional.pad(spectrogram, (0, missing), value=FLOOR)
        return functional.unfold(padded, self.patch, stride=self.patch).transpose(1, 2)

    def forward(self, spectrogram: Tensor, masked: Tensor) -> Tensor:
        """Mean squared error of the masked patches, each normalised by its own mean and deviation (ibid., 3).

        Args:
            spectrogram: normalised log-mels `(B, 1, n_mels, n_frames)`.
            masked: bool `(B, patches)`, equally many in each row.
        """
        patches = self.patches(spectrogram)
        drawn = self.decoder(self._decoder_input(patches, masked))
        spread = (patches.var(dim=-1, keepdim=True, unbiased=False) + 1e-4).sqrt()  # 0.5 dB: silence stays silence
        target = (patches - patches.mean(dim=-1, keepdim=True)) / spread
        return (drawn - target)[masked].square().mean()

    def _decoder_input(self, patches: Tensor, masked: Tensor) -> Tensor:
        # hidden before the stem too, whose convolutions look beyond the border of a patch
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
    """Which patches of each clip are hidden: blocks of patches at random, exactly `share` of all.

    Args:
        n: clips.
        grid: (rows, columns) of patches.
        share: of the patches, above 0 and below 1.
        block: side of a block in patches; 1 hides patches one by one.
        generator: of the draw.

    Returns:
        bool `(n, rows * columns)`; the block at the limit of the share may be cut.

    Raises:
        ValueError: a share or block out of range, or a share that leaves nothing seen or nothing hidden.
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


def pretrain(
    model: MusemoViTForEmotionRegression,
    spectrogram: Tensor,
    training: RecogniserTraining,
    run_dir: str | Path | None = None,
    writes: bool = True,
) -> list[float]:
    """Train the encoder in place to draw hidden patches of unlabelled log-mels.

    Args:
        model: the recogniser; its heads stay as they are.
        spectrogram: normalised log-mels `(N, 1, n_mels, n_frames)`; of training songs only, where songs are tested.
        training: `pretraining_*`, and the settings that both trainings share.
        run_dir: for checkpoints, from which a run that was cut off goes on; None writes none.
        writes: False for processes that follow one that writes.

    Returns:
        The loss of each update of this call.

    Raises:
        ValueError: patches that overlap, or other settings than those of a checkpoint in `run_dir`.
        FloatingPointError: the loss is NaN or infinite.
    """
    run = _Pretraining(model, spectrogram, training, None if run_dir is None else Path(run_dir), writes)
    losses = [run.update() for _ in tqdm(range(run.step, training.pretraining_steps), desc="pretraining")]
    logger.info("pretrained on %d clips", len(spectrogram))
    return losses


class _Pretraining:
    """Network, optimizer and schedule of one pretraining."""

    def __init__(
        self,
        model: MusemoViTForEmotionRegression,
        spectrogram: Tensor,
        training: RecogniserTraining,
        run_dir: Path | None,
        writes: bool,
    ) -> None:
        if model.config.patch_stride != tuple(model.config.patch_size):
            raise ValueError("expected patches that tile the spectrogram for pretraining, got overlapping ones")
        self.spectrogram, self.training, self.run_dir, self.writes = spectrogram, training, run_dir, writes
        seed_step(training.seed, 0, STREAM)
        self.network = MaskedAutoencoder(model).to(model.device).train()
        steps, lr = training.pretraining_steps, training.pretraining_lr
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr, (0.9, 0.95), weight_decay=0.05)
        self.schedule = get_cosine_schedule_with_warmup(self.optimizer, round(training.warmup * steps), steps)
        self.settings = {**asdict(training), "n_clips": len(spectrogram), "config": shape_of(model.config)}
        self.step = self._resume()

    @property
    def _parts(self) -> dict[str, Any]:
        return {"network": self.network, "optimizer": self.optimizer, "schedule": self.schedule}

    def update(self) -> float:
        training, step, network = self.training, self.step, self.network
        seed_step(training.seed, step, STREAM + 1)  # dropout
        generator = step_generator(training.seed, step, STREAM)
        index = torch.from_numpy(batch_indices(len(self.spectrogram), training.batch_size, step, training.seed))
        batch = self.spectrogram[index.to(self.spectrogram.device)]
        batch, _ = shift_gain(batch, torch.zeros(len(batch), 2), generator)
        if network.config.window_frames is not None:
            batch = random_windows(batch, network.config.window_frames)
        masked = draw_mask(len(batch), network.grid, MASK_SHARE, BLOCK, generator)
        loss = network(batch, masked.to(batch.device))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), training.gradient_norm)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"expected a finite loss of pretraining, got {loss.item()} at step {step}")
        self.optimizer.step()
        self.schedule.step()
        self.step += 1
        self._save()
        return loss.item()

    def _save(self) -> None:
        done = self.step == self.training.pretraining_steps
        if self.run_dir is not None and self.writes and is_due(self.step, self.training.checkpoint_every, done):
            tensors = {name: part.state_dict() for name, part in self._parts.items()}
            save_checkpoint(self.run_dir, self.step, {}, tensors, {"settings": self.settings}, keep=1)

    def _resume(self) -> int:
        found = checkpoints(self.run_dir) if self.run_dir is not None else []
        if not found:
            return 0
        state, tensors = read_state(found[-1]), read_tensors(found[-1])
        check_settings(found[-1], state, self.settings)
        for name, part in self._parts.items():
            part.load_state_dict(tensors[name])
        return state["step"]

"""Numbers of iterations, kept on the device until somebody needs them."""

import torch
from torch import Tensor


class Readings:
    """Collects the values of iterations and fetches them together: one transfer for many, so that a GPU never waits."""

    def __init__(self) -> None:
        self._waiting: list[dict[str, Tensor | float]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, values: dict[str, Tensor | float]) -> None:
        """Keep the values of one iteration; tensors are scalars on one device."""
        self._waiting.append(values)

    def read(self) -> list[dict[str, float]]:
        """The values of every iteration since the last call, oldest first."""
        waiting, self._waiting = self._waiting, []
        tensors = [value.detach().float() for values in waiting for value in values.values() if torch.is_tensor(value)]
        numbers = iter(torch.stack(tensors).tolist() if tensors else [])
        return [
            {name: next(numbers) if torch.is_tensor(value) else value for name, value in values.items()}
            for values in waiting
        ]

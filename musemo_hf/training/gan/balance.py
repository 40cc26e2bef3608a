"""The balance of updates of discriminator and generator, adapted to the discriminator's accuracy."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class UpdateBalance:
    """Keeps the discriminator's accuracy in a band by updating the better network less often.

    Above the band the discriminator updates in every 2nd, 3rd, ... iteration only, below it the generator does; the
    interval changes by one in each window. With `low` 0 and `high` 1 both update in every iteration.

    Attributes:
        low, high: The band of accuracies.
        window: The number of iterations between two adaptations.
        longest: The longest interval.
        discriminator_every, generator_every: The present intervals, in iterations.
        accuracy_sum, count: The sum and the number of the accuracies in the present window.
    """

    low: float = 0.7
    high: float = 0.8
    window: int = 10
    longest: int = 4
    discriminator_every: int = 1
    generator_every: int = 1
    accuracy_sum: float = 0.0
    count: int = 0

    def updates_discriminator(self, step: int) -> bool:
        """Tell whether the discriminator updates in this iteration."""
        return step % self.discriminator_every == 0

    def updates_generator(self, step: int) -> bool:
        """Tell whether the generator updates in this iteration."""
        return step % self.generator_every == 0

    def observe(self, accuracy: float) -> None:
        """Take in the accuracy of one iteration, in [0, 1]."""
        self.accuracy_sum += accuracy
        self.count += 1
        if self.count >= self.window:
            self._adapt(self.accuracy_sum / self.count)
            self.accuracy_sum, self.count = 0.0, 0

    def _adapt(self, accuracy: float) -> None:
        if accuracy > self.high:
            if self.generator_every > 1:
                self.generator_every -= 1
            else:
                self.discriminator_every = min(self.discriminator_every + 1, self.longest)
        elif accuracy < self.low:
            if self.discriminator_every > 1:
                self.discriminator_every -= 1
            else:
                self.generator_every = min(self.generator_every + 1, self.longest)

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` takes."""
        return asdict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        vars(self).update(state)

"""How often discriminator and generator update, adapted to the discriminator's accuracy."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass
class UpdateBalance:
    """Keeps the discriminator's accuracy in a band by letting the winner wait.

    Above the band the discriminator updates in every 2nd, 3rd, ... iteration, below it the generator does; one step of
    the interval a window. Both update in every iteration where `low` is 0 and `high` is 1.

    Attributes:
        low, high: the band.
        window: iterations between adaptations.
        longest: interval that is not exceeded.
        discriminator_every, generator_every: the intervals now.
        accuracy_sum, count: over the window so far, gathered over processes.
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
        """Whether the discriminator updates in this iteration."""
        return step % self.discriminator_every == 0

    def updates_generator(self, step: int) -> bool:
        """Whether the generator updates in this iteration."""
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
        """As JSON can hold it."""
        return asdict(self)

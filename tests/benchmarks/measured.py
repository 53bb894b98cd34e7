"""Measurements that are repeated in rounds."""

import math
import statistics
from collections.abc import Iterable, Sequence

from attrs import field, frozen


def _floats(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


@frozen
class Spread:
    """One measure, taken once in each round, in the order of the rounds."""

    rounds: tuple[float, ...] = field(converter=_floats)

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    @property
    def least(self) -> float:
        return min(self.rounds)

    @property
    def most(self) -> float:
        return max(self.rounds)

    def over(self, other: "Spread") -> "Spread":
        """The ratio in each round: what slowed the machine down in a round slowed down both."""
        return Spread(mine / its for mine, its in zip(self.rounds, other.rounds, strict=True))


def percentile(values: Sequence[float], percent: float) -> float:
    """The least of the values that `percent` of them do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]

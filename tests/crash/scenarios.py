"""What happens in a round: how many ask how, who dies where, and when it has been enough."""

from collections.abc import Sequence
from enum import Enum
from random import Random
from typing import Final

from attrs import field, frozen

from tests.crash.death import RELAY_POINTS, Death, Point


class Target(Enum):
    """Whom a fault kills."""

    API = "api"
    RELAY = "relay"
    POSTGRES = "postgres"
    BROKER = "broker"


@frozen(kw_only=True)
class Fault:
    """A kill -9 `at` seconds after the beginning; `pause` seconds later the target is started."""

    at: float
    target: Target
    pause: float


@frozen
class _Habit:
    """How often a target is killed, against the others, and for how long it stays away."""

    weight: int
    longest_pause: float


_HABITS: Final = {
    Target.API: _Habit(4, 0.5),
    Target.RELAY: _Habit(4, 0.5),
    Target.POSTGRES: _Habit(1, 1.0),
    Target.BROKER: _Habit(2, 1.5),
}
_MEAN_GAP = 0.6
_RESTART_PAUSE = 0.2


@frozen(kw_only=True)
class Scenario:
    """What happens in a round."""

    name: str
    seconds: float
    """How long the clients ask, at the most."""
    deaths: int | None = None
    """With so many deaths at chosen points it has been enough."""
    retries: int | None = None
    """With so many answers 200 it has been enough."""
    clients: int = 12
    executions: int = 40
    """Of each tenant."""
    twins: Sequence[int] = field(default=(1, 1, 1, 2, 4))
    """How many requests for the same execution are sent at once: one of these each time."""
    haste: float = 0.2
    """The share of retried runs that a watchdog fails before their job may have come."""
    random_kills: bool = False
    relay_dies_at: Sequence[Point] = ()
    """Where relays die, again and again."""
    share_of_dying_relays: float = 1.0
    """The others are the command as shipped."""
    api_dies: bool = False
    """Every API process is one that dies after a commit, again and again."""
    longest_life: int = 5
    """At which of its points of that kind a process dies, at the latest."""
    late_commits: bool = False
    """Commits end in another order than the one in which they wrote."""
    apart: bool = False
    """Procrastinate gets its messages on connections of its own: at least once, not exactly."""
    engine_down: bool = False
    """The broker is away as long as clients ask; without a broker of its own, the relays are."""

    def is_enough(self, *, deaths: int, retries: int) -> bool:
        """Whether the clients may stop before the time is up."""
        return (self.deaths is not None and deaths >= self.deaths) or (
            self.retries is not None and retries >= self.retries
        )

    def faults(self, random: Random, targets: Sequence[Target]) -> list[Fault]:
        """A schedule for those of the targets that exist."""
        if not self.random_kills:
            return []
        weights = [_HABITS[target].weight for target in targets]
        faults: list[Fault] = []
        at = random.expovariate(1 / _MEAN_GAP)
        while at < self.seconds:
            [target] = random.choices(targets, weights)
            pause = random.uniform(0, _HABITS[target].longest_pause)
            faults.append(Fault(at=at, target=target, pause=pause))
            at += random.expovariate(1 / _MEAN_GAP)
        return faults

    def relay_death(self, random: Random) -> Death | None:
        """How the next relay process dies; None when only others can kill it."""
        if self.relay_dies_at and random.random() < self.share_of_dying_relays:
            return Death(random.choice(self.relay_dies_at), random.randint(1, self.longest_life))
        return None

    def api_death(self, random: Random) -> Death | None:
        if self.api_dies:
            return Death(Point.AFTER_COMMIT, random.randint(1, self.longest_life))
        return None

    def restart_pause(self, random: Random) -> float:
        """Seconds until a process that killed itself is started again."""
        return random.uniform(0, _RESTART_PAUSE)


def storm(seconds: float) -> Scenario:
    """Everything at once: random kills of everybody, relays that die at every point."""
    return Scenario(
        name="storm",
        seconds=seconds,
        random_kills=True,
        relay_dies_at=RELAY_POINTS,
        share_of_dying_relays=0.6,
        longest_life=20,
        executions=40 + 4 * int(seconds),
    )


def outage(seconds: float) -> Scenario:
    """The engine is down for the whole of a run, while executions fail and are retried again."""
    return Scenario(name="outage", seconds=seconds, retries=400, engine_down=True, haste=0.9)


_BOUND = 20.0

API_DIES_AFTER_COMMIT: Final = Scenario(
    name="the API dies after a commit", seconds=_BOUND, deaths=3, api_dies=True
)
RELAY_DIES_AFTER_CLAIM: Final = Scenario(
    name="relays die after claim",
    seconds=_BOUND,
    deaths=3,
    relay_dies_at=(Point.AFTER_CLAIM,),
)
RELAY_DIES_AFTER_PUBLISH: Final = Scenario(
    name="relays die after publish",
    seconds=_BOUND,
    deaths=3,
    relay_dies_at=(Point.AFTER_PUBLISH,),
    apart=True,
)
LATE_COMMITS: Final = Scenario(
    name="commits end late", seconds=_BOUND, retries=60, late_commits=True
)
TWINS: Final = Scenario(name="many retry the same", seconds=_BOUND, retries=40, twins=(4,))

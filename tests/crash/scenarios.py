"""What happens in a round: which load, which process dies where, and when it ends."""

from collections.abc import Sequence
from enum import Enum
from random import Random
from typing import Final

from attrs import field, frozen

from tests.crash.death import RELAY_POINTS, Death, Point
from tests.crash.log_fate import LogFate


class Target(Enum):
    """What a fault kills, or freezes."""

    API = "api"
    RELAY = "relay"
    POSTGRES = "postgres"
    BROKER = "broker"
    CONNECTIONS = "connections"
    """To PostgreSQL: from now on nothing passes on those that exist, in either direction."""


@frozen(kw_only=True)
class Fault:
    """A kill -9 `at` seconds after the beginning; `pause` seconds later the target is started."""

    at: float
    target: Target
    pause: float


@frozen
class _FaultRate:
    """How often a target is killed, relative to the others, and the longest time it stays down."""

    weight: int
    longest_pause: float


_FAULT_RATES: Final = {
    Target.API: _FaultRate(4, 0.5),
    Target.RELAY: _FaultRate(4, 0.5),
    Target.POSTGRES: _FaultRate(1, 1.0),
    Target.BROKER: _FaultRate(2, 1.5),
    Target.CONNECTIONS: _FaultRate(6, 0),
}
_MEAN_GAP = 0.6
_RESTART_PAUSE = 0.2


@frozen(kw_only=True)
class Scenario:
    """What happens in a round. The load ends with the first limit that is reached."""

    name: str
    seconds: float
    """Limit: the time in which clients send requests."""
    deaths: int | None = None
    """Limit: processes that killed themselves."""
    retries: int | None = None
    """Limit: answers 200."""
    clients: int = 12
    executions: int = 40
    """Of each tenant."""
    simultaneous: Sequence[int] = field(default=(1, 1, 1, 2, 4))
    """Each client draws from these how many requests for one execution it sends at once."""
    share_timed_out: float = 0.2
    """Of the retried runs, those that a watchdog fails before their job may have been received."""
    random_kills: bool = False
    freezes: bool = False
    """Connections to PostgreSQL freeze at random moments; new ones work."""
    log_fates: Sequence[LogFate] = (LogFate.READ,)
    """Each process draws from these."""
    relay_dies_at: Sequence[Point] = ()
    """Where relays die, each process once."""
    share_of_dying_relays: float = 1.0
    """The others are the command as shipped."""
    api_dies: bool = False
    """Every API process dies after a commit."""
    longest_life: int = 5
    """How often a process reaches the point of its death, at most."""
    late_commits: bool = False
    """Commits become visible in another order than that in which they wrote."""
    share_by_outbox: float = 0.0
    """Of the API processes, those that leave all messages to a relay, as earlier versions do."""
    settles_within: float = 90.0
    """Seconds in which everything is delivered once the load has ended."""
    broker_down: bool = False
    """The broker is down while clients send requests; where it has no server, the relays are."""

    def is_enough(self, *, deaths: int, retries: int) -> bool:
        """Whether a limit is reached, apart from that of time."""
        return (self.deaths is not None and deaths >= self.deaths) or (
            self.retries is not None and retries >= self.retries
        )

    def faults(self, random: Random, targets: Sequence[Target]) -> list[Fault]:
        """A schedule for those of the targets that exist."""
        targets = [
            target
            for target in targets
            if (self.freezes if target is Target.CONNECTIONS else self.random_kills)
        ]
        if not targets:
            return []
        weights = [_FAULT_RATES[target].weight for target in targets]
        faults: list[Fault] = []
        at = random.expovariate(1 / _MEAN_GAP)
        while at < self.seconds:
            [target] = random.choices(targets, weights)
            pause = random.uniform(0, _FAULT_RATES[target].longest_pause)
            faults.append(Fault(at=at, target=target, pause=pause))
            at += random.expovariate(1 / _MEAN_GAP)
        return faults

    def log_fate(self, random: Random) -> LogFate:
        """That of the next process."""
        return random.choice(self.log_fates)

    def relay_death(self, random: Random) -> Death | None:
        """How the next relay process dies; None when it does not kill itself."""
        if self.relay_dies_at and random.random() < self.share_of_dying_relays:
            return Death(random.choice(self.relay_dies_at), random.randint(1, self.longest_life))
        return None

    def api_death(self, random: Random) -> Death | None:
        """How the next API process dies; None when it does not kill itself."""
        if self.api_dies:
            return Death(Point.AFTER_COMMIT, random.randint(1, self.longest_life))
        return None

    def restart_pause(self, random: Random) -> float:
        """Seconds until a process that killed itself is started again."""
        return random.uniform(0, _RESTART_PAUSE)


def storm(seconds: float) -> Scenario:
    """Everything at once: random kills of all targets, relays that die at every point."""
    return Scenario(
        name="storm",
        seconds=seconds,
        random_kills=True,
        relay_dies_at=RELAY_POINTS,
        share_of_dying_relays=0.6,
        share_by_outbox=0.5,
        longest_life=20,
        executions=40 + 4 * int(seconds),
    )


def outage(seconds: float) -> Scenario:
    """The broker is down all the time, while executions fail and are retried again and again."""
    return Scenario(
        name="outage",
        seconds=seconds,
        retries=400,
        broker_down=True,
        share_timed_out=0.9,
        share_by_outbox=0.5,
    )


def silence(seconds: float) -> Scenario:
    """What fails says nothing: connections freeze and no log can be written; some are killed."""
    return Scenario(
        name="silence",
        seconds=seconds,
        random_kills=True,
        freezes=True,
        log_fates=(LogFate.FULL, LogFate.UNREAD),
        share_by_outbox=0.3,
        executions=40 + 4 * int(seconds),
    )


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
RELAY_DIES_AFTER_SEND: Final = Scenario(
    name="relays die after publish",
    seconds=_BOUND,
    deaths=3,
    relay_dies_at=(Point.AFTER_SEND,),
)
LATE_COMMITS: Final = Scenario(
    name="commits end late", seconds=_BOUND, retries=60, late_commits=True
)
SIMULTANEOUS_RETRIES: Final = Scenario(
    name="many retry the same", seconds=_BOUND, retries=40, simultaneous=(4,)
)
CONNECTIONS_FREEZE: Final = Scenario(
    name="connections freeze", seconds=8.0, freezes=True, executions=80, settles_within=45.0
)
LOG_DEVICE_FULL: Final = Scenario(
    name="the log's device is full",
    seconds=_BOUND,
    retries=60,
    log_fates=(LogFate.FULL,),
    settles_within=20.0,
)

"""How much is measured."""

from attrs import frozen

from tests.support.command import COMMAND


@frozen(kw_only=True)
class Plan:
    """Sizes of one run. Times in seconds."""

    quick: bool
    service: str = COMMAND
    """The command `automation-retry`, in an environment that its users might have."""
    rounds: int
    clients: tuple[int, ...] = (1, 16, 64)
    warm_up_s: float
    seconds: float
    """How long each contender is measured in each round at each number of clients."""
    bulk_sizes: tuple[int, ...] = (1, 10, 100, 1000)
    bulk_units: int
    """The most units of work of each size in a round."""
    bulk_executions: int
    """The most executions of each size in a round."""
    relay_rounds: int
    relay_messages: int
    """Of each kind."""
    relay_batch: int = 500
    lag_messages: int
    growth_sizes: tuple[int, ...]
    growth_retries: int
    """At each size in each round."""
    drain_fills: int
    drain_messages: int
    read_executions: int
    """In each of two tenants."""
    read_requests: int
    """Of each kind in each round, or as many as `read_s` are enough for."""
    read_s: float
    memory_s: float
    starts: int


FULL = Plan(
    quick=False,
    rounds=3,
    warm_up_s=1.0,
    seconds=3.0,
    bulk_units=200,
    bulk_executions=10_000,
    relay_rounds=3,
    relay_messages=10_000,
    lag_messages=500,
    growth_sizes=(10_000, 100_000, 1_000_000, 5_000_000),
    growth_retries=700,
    drain_fills=5,
    drain_messages=20_000,
    read_executions=1_000_000,
    read_requests=100,
    read_s=15.0,
    memory_s=600.0,
    starts=5,
)

QUICK = Plan(
    quick=True,
    rounds=2,
    warm_up_s=0.2,
    seconds=0.5,
    bulk_units=20,
    bulk_executions=2_000,
    relay_rounds=1,
    relay_messages=2_000,
    lag_messages=50,
    growth_sizes=(10_000, 100_000),
    growth_retries=200,
    drain_fills=3,
    drain_messages=2_000,
    read_executions=50_000,
    read_requests=20,
    read_s=1.0,
    memory_s=12.0,
    starts=1,
)

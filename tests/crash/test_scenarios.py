"""A seed determines what happens."""

from random import Random

from tests.crash.death import RELAY_POINTS
from tests.crash.scenarios import SIMULTANEOUS_RETRIES, Target, silence, storm


def test_a_seed_fixes_the_schedule() -> None:
    """The same faults at the same moments, and others with another seed."""
    first, again, other = [storm(20).faults(Random(seed), list(Target)) for seed in (1, 1, 2)]

    assert first == again != other


def test_a_storm_kills_every_target_within_its_time() -> None:
    """Every target that exists, in the order of time, and no other."""
    faults = storm(60).faults(Random(1), [Target.API, Target.RELAY, Target.POSTGRES])

    assert {fault.target for fault in faults} == {Target.API, Target.RELAY, Target.POSTGRES}
    assert faults == sorted(faults, key=lambda fault: fault.at)
    assert all(0 <= fault.at < 60 for fault in faults)


def test_silence_also_freezes_connections() -> None:
    """A storm does not, even where it could; where there is no proxy nothing can."""
    everything = list(Target)
    without_proxy = [target for target in everything if target is not Target.CONNECTIONS]

    assert Target.CONNECTIONS in {f.target for f in silence(60).faults(Random(1), everything)}
    assert Target.CONNECTIONS not in {f.target for f in storm(60).faults(Random(1), everything)}
    assert {f.target for f in silence(60).faults(Random(1), without_proxy)} == {*without_proxy}


def test_relays_of_a_storm_die_at_every_point() -> None:
    """And some do not kill themselves."""
    random = Random(1)
    deaths = [storm(60).relay_death(random) for _ in range(200)]

    assert {death.point for death in deaths if death} == set(RELAY_POINTS)
    assert None in deaths


def test_other_scenarios_kill_nothing() -> None:
    """A scenario of concurrency has no faults."""
    assert SIMULTANEOUS_RETRIES.faults(Random(1), list(Target)) == []
    assert SIMULTANEOUS_RETRIES.relay_death(Random(1)) is None

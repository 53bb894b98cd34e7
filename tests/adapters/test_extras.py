import subprocess
import sys
from importlib import metadata

import pytest

_PROGRAM = """
import sys
sys.modules["{broker}"] = None
from automation_retry.adapters.{broker} import BROKER
BROKER.new(None, None, frozenset())
"""


@pytest.mark.parametrize(("broker", "requirement"), [("redis", "redis>="), ("nats", "nats-py>=")])
def test_a_broker_whose_driver_is_missing_says_what_to_install(
    broker: str, requirement: str
) -> None:
    """The last line names the driver, which pip finds; the distribution itself is on no index."""
    outcome = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(broker=broker)],
        capture_output=True,
        text=True,
        check=False,
    )

    [needed] = [
        line.split(";")[0]
        for line in metadata.requires("automation-retry") or ()
        if line.endswith(f"extra == '{broker}'")
    ]
    assert needed.startswith(requirement)
    assert outcome.stderr.strip().endswith(
        f"ImportError: The {broker} broker needs its driver: pip install '{needed}'"
    )


@pytest.mark.parametrize("broker", ["procrastinate", "redis", "nats"])
def test_a_broker_that_is_not_chosen_loads_no_driver(broker: str) -> None:
    """Its entry in the table of brokers is read without it."""
    code = f"import sys, automation_retry.adapters.{broker}; sys.exit('{broker}' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

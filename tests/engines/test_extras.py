import subprocess
import sys
from importlib import metadata

import pytest


@pytest.mark.parametrize(("engine", "requirement"), [("redis", "redis>="), ("nats", "nats-py>=")])
def test_an_engine_whose_driver_is_missing_says_what_to_install(
    engine: str, requirement: str
) -> None:
    """The last line names the driver, which pip finds; the distribution itself is on no index."""
    code = f"import sys; sys.modules['{engine}'] = None; import automation_retry.adapters.{engine}"
    outcome = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    [needed] = [
        line.split(";")[0]
        for line in metadata.requires("automation-retry") or ()
        if line.endswith(f"extra == '{engine}'")
    ]
    assert needed.startswith(requirement)
    assert outcome.stderr.strip().endswith(
        f"The {engine} engine needs its driver: pip install '{needed}'"
    )

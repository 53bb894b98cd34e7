import subprocess
import sys

import pytest


@pytest.mark.parametrize("engine", ["redis", "nats"])
def test_an_engine_whose_driver_is_missing_names_its_extra(engine: str) -> None:
    """The last line that the operator sees is what to do."""
    code = f"import sys; sys.modules['{engine}'] = None; import adapters.{engine}"
    outcome = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )

    assert outcome.stderr.strip().endswith(
        f"The {engine} engine needs its driver: pip install 'automation-retry[{engine}]'"
    )

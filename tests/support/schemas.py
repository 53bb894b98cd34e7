"""The JSON Schemas in the package. `python -m tests.support.schemas` writes them anew."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from automation_retry.adapters.nats.cloud_event import CloudEvent
from automation_retry.adapters.wire.json_schema import standalone
from automation_retry.adapters.wire.messages import Event, Job
from tests.support.command import ROOT

SCHEMAS: Final[Mapping[str, type[Any]]] = {"job": Job, "event": Event, "cloud_event": CloudEvent}
FOLDER: Final = Path(ROOT) / "adapters" / "wire" / "schemas"


def text_of(cls: type[Any]) -> bytes:
    return orjson.dumps(standalone(cls), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    for name, cls in SCHEMAS.items():
        (FOLDER / f"{name}.json").write_bytes(text_of(cls))

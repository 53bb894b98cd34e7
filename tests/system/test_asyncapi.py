"""The AsyncAPI document against the schema that AsyncAPI publishes, as a package of npm."""

import orjson
import pytest
from jsonschema import Draft7Validator

from tests.support.channels import COMBINATIONS, document_of
from tests.support.command import ROOT

SCHEMA = ROOT / "var/node/node_modules/@asyncapi/specs/schemas/3.0.0.json"


@pytest.mark.parametrize(("jobs", "events"), COMBINATIONS)
def test_the_document_is_asyncapi_3(jobs: str, events: str) -> None:
    """Whatever brokers are chosen."""
    validator = Draft7Validator(orjson.loads(SCHEMA.read_bytes()))
    document = document_of(jobs, events)

    assert [error.message for error in validator.iter_errors(document)] == []
    assert not validator.is_valid({**document, "channels": {"jobs": {"address": 1}}})

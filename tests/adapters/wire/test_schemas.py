from typing import Any

import orjson
import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from automation_retry.adapters.nats.cloud_event import cloud_event
from automation_retry.application import ExecutionJob, RetriedEvent
from tests.support.envelopes import envelope, json_body
from tests.support.factories import a_job, an_event, events, jobs
from tests.support.messages import hold_to_schema
from tests.support.schemas import FOLDER, SCHEMAS, text_of


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_the_schema_in_the_package_is_that_of_the_class(name: str) -> None:
    """`python -m tests.support.schemas` writes it anew."""
    assert (FOLDER / f"{name}.json").read_bytes() == text_of(SCHEMAS[name])


def test_every_schema_in_the_package_is_one() -> None:
    """Of the dialect that it names, and none is left over."""
    found = {path.stem: orjson.loads(path.read_bytes()) for path in FOLDER.iterdir()}

    assert found.keys() == SCHEMAS.keys()
    for schema in found.values():
        Draft202012Validator.check_schema(schema)


@given(job=jobs)
def test_any_job_is_what_its_schema_says(job: ExecutionJob) -> None:
    """Nothing is missing, nothing is added."""
    hold_to_schema("job", json_body(job))


def test_the_first_job_of_an_execution_is_one_too() -> None:
    """Whoever creates an execution knows nothing of a retry: attempt 0, and nobody asked."""
    job = json_body(a_job())
    first = {name: job[name] for name in ("id", "tenant", "execution_id", "automation_rule_id")}

    hold_to_schema("job", {**first, "attempt": 0})


@given(event=events)
def test_any_event_is_what_its_schema_says(event: RetriedEvent) -> None:
    """As AlgaPSA's envelope and as a CloudEvent."""
    hold_to_schema("event", json_body(event))
    hold_to_schema("cloud_event", cloud_event(envelope(event), "automation-retry"))


@pytest.mark.parametrize(
    "change",
    [
        {"attempt": 0},
        {"attempt": "1"},
        {"executionId": "5fba69ef"},
        {"tenantId": None},
        {"more": 1},
    ],
)
def test_another_payload_is_not(change: dict[str, Any]) -> None:
    """The schema tells them apart."""
    body = json_body(an_event())
    body["payload"] |= change

    with pytest.raises(AssertionError):
        hold_to_schema("event", body)


@pytest.mark.parametrize("text", ["2026-11-23 12:00:00+00:00", "2026-11-23T12:00:00", "noon"])
def test_a_time_in_another_form_is_not(text: str) -> None:
    """RFC 3339, which needs a `T` and a zone."""
    with pytest.raises(AssertionError):
        hold_to_schema("event", {**json_body(an_event()), "timestamp": text})

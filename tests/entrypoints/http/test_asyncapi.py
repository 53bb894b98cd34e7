import orjson
import pytest
from jsonschema import Draft202012Validator

from tests.entrypoints.http.conftest import Service
from tests.support.channels import COMBINATIONS, document_of
from tests.support.envelopes import json_body
from tests.support.factories import a_job, an_event

ADDRESSES = {
    ("procrastinate", "jobs"): "automation.executions",
    ("procrastinate", "events"): "automation.events",
    ("redis", "jobs"): "alga-psa:automation:executions",
    ("redis", "events"): "alga-psa:event-stream:global:automation.execution.retried",
    ("nats", "jobs"): "automation.executions.{tenant}",
    ("nats", "events"): "automation.execution.retried.{tenant}",
}


@pytest.mark.parametrize(("jobs", "events"), COMBINATIONS)
def test_the_channels_are_those_of_the_chosen_brokers(jobs: str, events: str) -> None:
    """Under the names that each broker has for them; events may have none."""
    document = document_of(jobs, events)

    chosen = {"jobs": jobs, "events": events}
    assert {name: one["address"] for name, one in document["channels"].items()} == {
        name: ADDRESSES[broker, name] for name, broker in chosen.items() if broker != "none"
    }


def test_the_channels_are_named_as_configured() -> None:
    """With AlgaPSA's own settings for Redis, and a subject prefix for NATS."""
    redis = document_of("redis", "redis", REDIS_PREFIX="psa:", REDIS_EVENT_STREAM_PREFIX="es:")
    nats = document_of("nats", "nats", AUTOMATION_RETRY_NATS_SUBJECT_PREFIX="psa.retries")

    addresses = [one["address"] for each in (redis, nats) for one in each["channels"].values()]
    assert addresses == [
        "psa:automation:executions",
        "psa:es:global:automation.execution.retried",
        "psa.retries.executions.{tenant}",
        "psa.retries.execution.retried.{tenant}",
    ]


@pytest.mark.parametrize("broker", ["redis", "procrastinate"])
def test_messages_are_what_the_document_says(broker: str) -> None:
    """Its payloads are the schemas of job and event."""
    document = document_of(broker, broker)

    for name, sent in (("job", a_job()), ("event", an_event())):
        payload = document["components"]["messages"][name]["payload"]
        schema = {**payload, "components": document["components"]}
        assert Draft202012Validator(schema).is_valid(json_body(sent))
        assert not Draft202012Validator(schema).is_valid({})


async def test_the_service_answers_its_document(service: Service) -> None:
    """At /asyncapi.json, to everybody; a memory broker has no channel for other processes."""
    answer = await service.client.get("/asyncapi.json")

    document = orjson.loads(answer.content)
    assert (answer.status_code, document["asyncapi"], document["channels"]) == (200, "3.0.0", {})

"""The AsyncAPI document of a service with chosen brokers; none of them need run."""

from typing import Any

import orjson

from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.http.documentation.asyncapi import asyncapi_document
from automation_retry.entrypoints.settings import read_settings

COMBINATIONS = [
    ("procrastinate", "procrastinate"),
    ("redis", "redis"),
    ("nats", "nats"),
    ("redis", "nats"),
    ("procrastinate", "none"),
]
"""Brokers of jobs and of events."""


def document_of(jobs: str, events: str, **variables: str) -> Any:
    settings = read_settings(
        {
            "DATABASE_URL": "postgresql://127.0.0.1/automation",
            "AUTOMATION_RETRY_JOB_QUEUE": jobs,
            "AUTOMATION_RETRY_EVENT_BUS": events,
            "AUTOMATION_RETRY_REDIS_URL": "redis://127.0.0.1",
            "AUTOMATION_RETRY_NATS_URL": "nats://127.0.0.1",
            **variables,
        }
    )
    channels = Container(settings=settings).brokers().channels
    return orjson.loads(orjson.dumps(asyncapi_document(channels, version="1")))

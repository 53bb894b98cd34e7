from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import nats
import orjson
from nats.errors import TimeoutError as NothingNew
from nats.js.api import ConsumerConfig

from automation_retry.application import MessageKind
from tests.crash.consumer_log import ConsumerLog
from tests.crash.engine_under_test import EngineUnderTest, Storage
from tests.engines.nats_engine import EVENTS, JOBS
from tests.servers.nats_server import running_nats

_DURABLE = "crash-test"
_ACK_WAIT_S = 2
"""What a killed server had sent and we never got comes again after so long."""


@asynccontextmanager
async def nats_under_test() -> AsyncIterator[EngineUnderTest]:
    with running_nats() as server:
        yield EngineUnderTest(
            consumers=(
                partial(_consume, server.url, JOBS, MessageKind.JOB),
                partial(_consume, server.url, EVENTS, MessageKind.EVENT),
            ),
            variables={
                "AUTOMATION_RETRY_JOB_QUEUE": "nats",
                "AUTOMATION_RETRY_EVENT_BUS": "nats",
                "AUTOMATION_RETRY_NATS_URL": server.url,
            },
            broker=server,
            redelivers_within_s=_ACK_WAIT_S + 1,
        )


async def _consume(url: str, stream: str, kind: MessageKind, _: Storage, log: ConsumerLog) -> None:
    client = await nats.connect(url, allow_reconnect=False)
    try:
        # One at a time: what a killed server had sent into the void comes again only after
        # `ack_wait`, and with more under way a later attempt would then come first.
        config = ConsumerConfig(ack_wait=_ACK_WAIT_S, max_ack_pending=1)
        subscription = await client.jetstream().pull_subscribe(
            "", durable=_DURABLE, stream=stream, config=config
        )
        while True:
            try:
                messages = await subscription.fetch(1, timeout=1)
            except NothingNew:
                continue
            for message in messages:
                log.take(kind, _body(kind, orjson.loads(message.data)))
                await message.ack_sync()
    finally:
        await client.close()


def _body(kind: MessageKind, body: dict[str, Any]) -> dict[str, Any]:
    """The body of a message on any engine; events travel as CloudEvents here."""
    if kind is MessageKind.JOB:
        return body
    return {
        "id": body["id"],
        "eventType": body["type"],
        "timestamp": body["time"],
        "payload": body["data"],
    }

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import nats
import orjson
from nats.errors import TimeoutError as NothingNew
from nats.js.api import ConsumerConfig

from automation_retry.application import MessageKind
from tests.adapters.nats.nats_streams import EVENTS, JOBS
from tests.crash.broker_under_test import BrokerUnderTest, RoundDatabase
from tests.crash.consumer_log import ConsumerLog
from tests.support.nats_server import running_nats

_DURABLE = "crash-test"
_ACK_WAIT_S = 2
"""After this time the server sends again what was not acknowledged."""


@asynccontextmanager
async def nats_under_test() -> AsyncIterator[BrokerUnderTest]:
    with running_nats() as server:
        yield BrokerUnderTest(
            consumers=(
                partial(_consume, server.url, JOBS, MessageKind.JOB),
                partial(_consume, server.url, EVENTS, MessageKind.EVENT),
            ),
            variables={
                "AUTOMATION_RETRY_JOB_QUEUE": "nats",
                "AUTOMATION_RETRY_EVENT_BUS": "nats",
                "AUTOMATION_RETRY_NATS_URL": server.url,
            },
            server=server,
            redelivers_within_s=_ACK_WAIT_S + 1,
        )


async def _consume(
    url: str, stream: str, kind: MessageKind, _: RoundDatabase, log: ConsumerLog
) -> None:
    client = await nats.connect(url, allow_reconnect=False)
    try:
        # One at a time: a message that was lost with a killed server is sent again only after
        # `ack_wait`, and with more in flight a later attempt would then be received first.
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
                log.receive(kind, _body(kind, orjson.loads(message.data)))
                await message.ack_sync()
    finally:
        await client.close()


def _body(kind: MessageKind, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The body as any other broker carries it; on NATS, events are CloudEvents."""
    if kind is MessageKind.JOB:
        return body
    return {
        "id": body["id"],
        "eventType": body["type"],
        "timestamp": body["time"],
        "payload": body["data"],
    }

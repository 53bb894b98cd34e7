from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
import orjson
from nats.aio.msg import Msg

from automation_retry.application import ExecutionJob, RetriedEvent
from tests.adapters.nats.nats_streams import opened
from tests.contracts.broker import BrokerUnderTest, Received
from tests.support.messages import hold_to_schema, read_event, read_job
from tests.support.nats_server import running_nats


@asynccontextmanager
async def open_broker() -> AsyncIterator[BrokerUnderTest]:
    """Streams in a NATS of its own, read by durable consumers."""
    jobs, events = Received[ExecutionJob](), Received[RetriedEvent]()

    async def take_job(message: Msg) -> None:
        await jobs.take(read_job(orjson.loads(message.data)))
        await message.ack()

    async def take_event(message: Msg) -> None:
        cloud_event = orjson.loads(message.data)
        hold_to_schema("cloud_event", cloud_event)
        body = {
            "eventType": cloud_event["type"],
            "id": cloud_event["id"],
            "timestamp": cloud_event["time"],
            "payload": cloud_event["data"],
        }
        await events.take(read_event(body))
        await message.ack()

    with running_nats() as server:
        async with opened(server.url) as bundle:
            # Asking also creates the streams.
            assert await bundle.readiness.problems() == []
            client = await nats.connect(server.url)
            stream = client.jetstream()
            await stream.subscribe(
                "automation.executions.*", durable="engine", cb=take_job, manual_ack=True
            )
            await stream.subscribe(
                "automation.execution.retried.*", durable="listener", cb=take_event, manual_ack=True
            )
            yield BrokerUnderTest(broker=bundle.broker, jobs=jobs, events=events)
            await client.close()

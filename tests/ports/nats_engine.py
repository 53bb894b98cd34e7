from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
import orjson
from nats.aio.msg import Msg

from automation_retry.adapters.json_codec import message_from
from automation_retry.adapters.nats import NatsBus, NatsConnection, NatsQueue, NatsSettings
from automation_retry.application import ExecutionJob, MessageKind, RetriedEvent
from tests.ports.engine import Engine, Received
from tests.servers.nats_server import running_nats


@asynccontextmanager
async def open_engine() -> AsyncIterator[Engine]:
    """Streams in a NATS of its own, read by durable consumers."""
    jobs, events = Received[ExecutionJob](), Received[RetriedEvent]()
    with running_nats() as server:
        connection = NatsConnection(NatsSettings(servers=server.url))
        await connection.open()
        engine = Engine(
            queue=NatsQueue(connection), bus=NatsBus(connection), jobs=jobs, events=events
        )
        # Asking after the streams makes them.
        assert await NatsQueue(connection).problem() is None
        assert await NatsBus(connection).problem() is None

        async def take_job(message: Msg) -> None:
            job = message_from(MessageKind.JOB, orjson.loads(message.data))
            assert isinstance(job, ExecutionJob)
            await jobs.take(job)
            await message.ack()

        async def take_event(message: Msg) -> None:
            cloud_event = orjson.loads(message.data)
            event = message_from(
                MessageKind.EVENT,
                {
                    "id": cloud_event["id"],
                    "timestamp": cloud_event["time"],
                    "payload": cloud_event["data"],
                },
            )
            assert isinstance(event, RetriedEvent)
            await events.take(event)
            await message.ack()

        client = await nats.connect(server.url)
        stream = client.jetstream()
        await stream.subscribe(
            "automation.executions.*", durable="engine", cb=take_job, manual_ack=True
        )
        await stream.subscribe(
            "automation.execution.retried.*", durable="listener", cb=take_event, manual_ack=True
        )
        yield engine
        await client.close()
        await connection.close()

"""The whole service behind a real socket, and a tenant to use it with."""

import socket
from asyncio import create_task, sleep
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
from attrs import field, frozen

from automation_retry.application import MessageKind
from automation_retry.application.ports import Storage
from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ, Execution, Permission
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.server import (
    StoppableServer,
    TimeLimits,
    address_of,
    application,
    listening_socket,
    server_config,
)
from automation_retry.entrypoints.settings import StorageKind, read_settings
from tests.support.described import Described
from tests.support.messages import Sent, handed_over, opened

EXECUTIONS = "/api/v1/automation/executions"
BOTH = frozenset({AUTOMATION_EXECUTE, AUTOMATION_READ})


@frozen(kw_only=True)
class World:
    """A running service, its container, and a client."""

    container: Container
    client: httpx.AsyncClient
    tenant: UUID = field(factory=uuid4)

    @property
    def in_memory(self) -> bool:
        return self.container.settings().database_url.kind is StorageKind.MEMORY

    @property
    def storage(self) -> Storage:
        """The storage of the service."""
        storage: Storage = self.container.storage()
        return storage

    async def key(
        self,
        permissions: frozenset[Permission] = BOTH,
        *,
        tenant: UUID | None = None,
        username: str = "operator",
        expires_at: datetime | None = None,
        usage_limit: int | None = None,
    ) -> str:
        """A new API key of a user with these permissions."""
        directory = self.storage.directory
        user = await directory.ensure_user(
            tenant=tenant or self.tenant,
            company_name="Contoso",
            username=username,
            email=f"{username}@contoso.example",
            permissions=permissions,
        )
        return await directory.create_api_key(
            user=user, expires_at=expires_at, usage_limit=usage_limit
        )

    async def add(self, execution: Execution) -> Execution:
        await self.storage.executions.add([execution])
        return execution

    async def sent(self, kind: MessageKind) -> list[Sent]:
        """The messages of a kind that wait in the outbox, and those in Procrastinate's queue."""
        async with self.storage.outbox.claim(kind, 10_000) as claim:
            waiting = [opened(message) for message in claim.messages]
        if self.storage.connection is None:
            return waiting
        async with self.storage.connection() as connection:
            return waiting + await handed_over(connection, kind)

    async def retry(self, execution_id: object, key: str | None, **headers: str) -> httpx.Response:
        """Headers are spelled with underscores."""
        return await self.client.post(
            f"{EXECUTIONS}/{execution_id}/retry", headers=with_key(key, headers)
        )

    async def get(self, path: str, key: str | None, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=with_key(key, headers))


def with_key(key: str | None, headers: Mapping[str, str]) -> dict[str, str]:
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    return spelled if key is None else {"x-api-key": key, **spelled}


@asynccontextmanager
async def running_service(
    variables: Mapping[str, str], times: TimeLimits | None = None
) -> AsyncIterator[World]:
    """The service as `serve` runs it, in this event loop, on a free port."""
    container = Container(settings=read_settings(variables))
    with listening_socket("127.0.0.1", 0) as listening:
        async with serving(container, listening, times) as client:
            yield World(container=container, client=client)


async def _hold_to_its_document(client: httpx.AsyncClient) -> None:
    """From now on an answer that the service does not document fails the test that got it."""
    described = Described((await client.get("/openapi.json")).json())

    async def check(answer: httpx.Response) -> None:
        await answer.aread()
        problems = described.problems(answer)
        assert not problems, problems

    client.event_hooks["response"].append(check)


@asynccontextmanager
async def serving(
    container: Container, listening: socket.socket, times: TimeLimits | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    settings = container.settings()
    server = StoppableServer(
        server_config(application(container), settings, times), container.stop()
    )
    task = create_task(server.serve(sockets=[listening]))
    while not server.started:
        if task.done():
            task.result()
        await sleep(0.01)
    limits: dict[str, Any] = {"limits": httpx.Limits(max_connections=200), "timeout": 60}
    try:
        async with httpx.AsyncClient(base_url=address_of(listening), **limits) as client:
            await _hold_to_its_document(client)
            yield client
    finally:
        # Before its socket is closed: the next server's may get the same descriptor.
        server.should_exit = True
        await task

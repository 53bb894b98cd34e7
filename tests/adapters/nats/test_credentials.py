"""User names and passwords in the URL of NATS."""

from collections.abc import Sequence
from urllib.parse import quote

import pytest

from automation_retry.adapters.nats.connection import NatsConnection
from automation_retry.adapters.nats.readiness import NatsReadiness
from automation_retry.adapters.nats.settings import NatsSettings
from automation_retry.application import MessageKind
from tests.support.nats_server import running_nats
from tests.support.server_process import HOST, free_port

SECRET = "p@ss:w/ord%41?#"


async def problems(*servers: str) -> Sequence[str]:
    connection = NatsConnection(NatsSettings(servers=servers))
    await connection.open()
    try:
        return await NatsReadiness(connection, frozenset(MessageKind)).problems()
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("authorization", "credentials"),
    [
        (f'user: "a@da", password: "{SECRET}"', f"{quote('a@da')}:{quote(SECRET, safe='')}"),
        (f'token: "{SECRET}"', quote(SECRET, safe="")),
    ],
)
async def test_percent_encoded_credentials_work(authorization: str, credentials: str) -> None:
    """Of the servers of a cluster, the first that answers is used."""
    down = f"nats://other:secret@{HOST}:{free_port()}"
    with running_nats(f"authorization {{ {authorization} }}") as server:
        found = await problems(down, f"nats://{credentials}@{HOST}:{server.port}")

    assert found == []


async def test_wrong_credentials_are_told_without_them() -> None:
    """By the words of the server."""
    with running_nats(f'authorization {{ user: ada, password: "{SECRET}" }}') as server:
        found = await problems(f"nats://ada:hunter2@{HOST}:{server.port}")

    assert "Authorization Violation" in found[0]
    assert "hunter2" not in str(found)

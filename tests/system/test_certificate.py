"""The server's certificate changes at run time, and so does the one that clients trust."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from automation_retry.entrypoints.lifecycle import migrate_database
from automation_retry.entrypoints.settings import read_settings
from tests.support.factories import a_failed_execution
from tests.support.own_postgres import OwnPostgres, debian_bin_dir, own_postgres
from tests.support.world import running_service

HEALED_WITHIN_S = 5


def new_certificate(server: OwnPostgres) -> bytes:
    """Signed by itself, for 127.0.0.1; the server uses it from its next start or reload on."""
    key, certificate = server.folder / "server.key", server.folder / "server.crt"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    server.own(key, mode=0o600)
    server.own(certificate, mode=0o644)
    return certificate.read_bytes()


@pytest.fixture
def server() -> Iterator[OwnPostgres]:
    with own_postgres(bin_dir=debian_bin_dir(15)) as server:
        server.initialize()
        server.settings |= {
            "ssl": "on",
            "ssl_key_file": f"'{server.folder}/server.key'",
            "ssl_cert_file": f"'{server.folder}/server.crt'",
        }
        yield server


async def test_a_certificate_that_changes(server: OwnPostgres, tmp_path: Path) -> None:
    """Refused and named until the client's file has it, too; then back without a restart."""
    trusted = tmp_path / "trusted.crt"
    trusted.write_bytes(new_certificate(server))
    server.start()
    url = f"{server.url()}?sslmode=verify-full&sslrootcert={trusted}"
    variables = {"DATABASE_URL": url, "AUTOMATION_RETRY_RELAY": "false"}
    await migrate_database(read_settings(variables))
    async with running_service(variables) as world:
        key = await world.key()
        executions = [await world.add(a_failed_execution(tenant=world.tenant)) for _ in range(3)]
        certificate = new_certificate(server)
        server.reload()
        with psycopg.connect(server.url(), autocommit=True) as connection:
            before = await world.retry(executions[0].execution_id, key)
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'automation-retry'"
            )
        answer = await world.client.get("/readyz")
        trusted.write_bytes(certificate)
        async with asyncio.timeout(HEALED_WITHIN_S):
            while (await world.client.get("/readyz")).status_code != 200:
                pass
        after = await world.retry(executions[1].execution_id, key)

    assert (before.status_code, after.status_code) == (200, 200)
    assert answer.status_code == 503
    assert answer.json()["error"]["details"]["problems"] == [
        "No connection to PostgreSQL can be opened: SSL error: certificate verify failed."
    ]

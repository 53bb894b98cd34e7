"""Collations that Debian's PostgreSQL has, which is built with ICU; the wheel's is not."""

from collections.abc import Iterator

import psycopg
import pytest

from automation_retry.domain import failure_pattern
from automation_retry.entrypoints.lifecycle import migrate_database
from automation_retry.entrypoints.settings import read_settings
from tests.support.own_postgres import OwnPostgres, debian_bin_dir, running_own_postgres

MESSAGES = ("İstanbul: STATUS 401", "istanbul: status 401", "RÉSUMÉ 0X1F", "resume 0x1f")


@pytest.fixture(scope="module")
def server() -> Iterator[OwnPostgres]:
    with running_own_postgres(bin_dir=debian_bin_dir(15)) as server:
        yield server


@pytest.mark.parametrize("locale", ["tr-TR", "und-u-ks-level1"])
async def test_failure_patterns_are_the_same_under_any_collation(
    server: OwnPostgres, locale: str
) -> None:
    """Of the database, and of a column for which texts are equal that differ in case."""
    name = locale.replace("-", "_").lower()
    server.execute(
        f"CREATE DATABASE {name} TEMPLATE template0 LOCALE 'C'"
        f" LOCALE_PROVIDER icu ICU_LOCALE '{locale}'"
    )
    await migrate_database(read_settings({"DATABASE_URL": server.url(database=name)}))
    with psycopg.connect(server.url(database=name)) as connection:
        connection.execute(
            "CREATE COLLATION loose"
            " (PROVIDER = icu, LOCALE = 'und-u-ks-level1', DETERMINISTIC = false);"
            "CREATE TABLE failures (position serial, message varchar COLLATE loose);"
            "CREATE INDEX ON failures (automation_retry_failure_group(NULL, message));"
        )
        connection.cursor().executemany(
            "INSERT INTO failures (message) VALUES (%s)", [(message,) for message in MESSAGES]
        )
        patterns = connection.execute(
            "SELECT automation_retry_failure_pattern(message) FROM failures ORDER BY position"
        ).fetchall()

    assert patterns == [(failure_pattern(message),) for message in MESSAGES]

from pathlib import Path

import psycopg
import pytest

from automation_retry.adapters.embedded import EmbeddedPostgres
from tests.adapters.embedded.database import rows


def test_it_is_durable_utf8_with_checksums(path: Path) -> None:
    """No acknowledged commit is lost, and checksums detect corruption."""
    with EmbeddedPostgres(path) as url:
        settings = {str(row[0]): row[1] for row in rows(url, "SHOW ALL")}

    durable = ("fsync", "full_page_writes", "synchronous_commit", "data_checksums")
    assert [settings[name] for name in durable] == ["on"] * 4
    assert settings["server_encoding"] == "UTF8"


def test_nothing_listens_on_the_network(path: Path) -> None:
    """Only the Unix socket accepts connections."""
    with EmbeddedPostgres(path) as url:
        assert rows(url, "SHOW listen_addresses") == [("",)]


def test_the_log_holds_no_values_of_statements(path: Path) -> None:
    """A statement's error, which may quote a tenant's values, is sent to the client only."""
    with EmbeddedPostgres(path) as url, pytest.raises(psycopg.errors.InvalidTextRepresentation):
        rows(url, "SELECT 'a-secret'::uuid")

    assert "a-secret" not in (path / "log").read_text()

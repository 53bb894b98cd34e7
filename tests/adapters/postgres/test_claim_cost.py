"""Claims and probes cost the same whatever waits, and whatever the statistics say."""

from typing import LiteralString

import psycopg
import pytest

from automation_retry.adapters.postgres.sql import outbox as sql

FILL: LiteralString = """
INSERT INTO automation_outbox (tenant, id, kind, execution_id, attempt, body)
SELECT '0be7c4f0-5d0c-4b5e-9a53-6f3f6a7b1c2d', gen_random_uuid(), 'job', gen_random_uuid(), 1, '{}'
FROM generate_series(1, 3000)
"""
STATISTICS: LiteralString = """
SELECT pg_restore_relation_stats('schemaname', 'public', 'relname', 'automation_outbox',
                                 'relpages', %(pages)s::integer, 'reltuples', %(rows)s::real)
"""
EXPLAIN: LiteralString = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "


WRONG_AND_RIGHT = [(0, -1), (0, 0), (300, 0), (1, 1), (300, 3000)]


@pytest.mark.parametrize(("pages", "rows"), WRONG_AND_RIGHT)
def test_a_claim_and_its_acknowledgement_are_o_of_the_batch(
    database_url: str, pages: int, rows: int
) -> None:
    """Claiming and removing ten of 3000 waiting messages reads a few pages for each."""
    with psycopg.connect(database_url) as connection:
        connection.execute(FILL)
        connection.execute(STATISTICS, {"pages": pages, "rows": rows})
        connection.execute(sql.PLAN_WITH_INDEXES)
        claim = {"kind": "job", "limit": 10}
        places = [row[0] for row in connection.execute(sql.CLAIM, claim)]
        claimed = connection.execute(EXPLAIN + sql.CLAIM, claim).fetchone()
        removed = connection.execute(EXPLAIN + sql.ACKNOWLEDGE, {"places": places}).fetchone()

    assert len(places) == 10
    assert claimed
    assert removed
    assert pages_read(claimed) < 100
    assert pages_read(removed) < 100


@pytest.mark.parametrize(("pages", "rows"), WRONG_AND_RIGHT)
def test_a_probe_is_o_of_one(database_url: str, pages: int, rows: int) -> None:
    """It reads a few pages when 3000 messages wait and 3000 are dead letters."""
    with psycopg.connect(database_url) as connection:
        connection.execute(FILL)
        connection.execute("UPDATE automation_outbox SET dead_at = now(), dead_reason = 'no'")
        connection.execute(FILL)
        connection.execute(STATISTICS, {"pages": pages, "rows": rows})
        connection.execute(sql.PLAN_WITH_INDEXES)
        asked = {"kinds": ["job", "event"], "dead_counted": 100}
        found = connection.execute(sql.STATUS, asked).fetchall()
        probe = connection.execute(EXPLAIN + sql.STATUS, asked).fetchone()

    assert [row[2] for row in found] == [100, 0]
    assert probe
    assert pages_read(probe) < 250


def pages_read(explained: tuple[list[dict[str, dict[str, int]]], ...]) -> int:
    plan = explained[0][0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]

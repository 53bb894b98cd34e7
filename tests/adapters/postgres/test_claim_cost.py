"""A claim is O(batch), independent of the backlog, whatever the statistics say."""

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


@pytest.mark.parametrize(("pages", "rows"), [(0, -1), (0, 0), (300, 0), (1, 1), (300, 3000)])
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


def pages_read(explained: tuple[list[dict[str, dict[str, int]]], ...]) -> int:
    plan = explained[0][0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]

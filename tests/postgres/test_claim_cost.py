"""What a claim costs does not depend on how much waits, whatever the planner believes."""

from typing import LiteralString

import psycopg
import pytest

from automation_retry.adapters.postgres import statements

FILL: LiteralString = """
INSERT INTO automation_outbox (tenant, id, kind, execution_id, attempt, body)
SELECT '0be7c4f0-5d0c-4b5e-9a53-6f3f6a7b1c2d', gen_random_uuid(), 'job', gen_random_uuid(), 1, '{}'
FROM generate_series(1, 3000)
"""
BELIEVED: LiteralString = """
SELECT pg_restore_relation_stats('schemaname', 'public', 'relname', 'automation_outbox',
                                 'relpages', %(pages)s::integer, 'reltuples', %(rows)s::real)
"""
EXPLAIN: LiteralString = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "


@pytest.mark.parametrize(("pages", "rows"), [(0, -1), (0, 0), (300, 0), (1, 1), (300, 3000)])
def test_a_claim_and_its_end_read_what_they_take(database_url: str, pages: int, rows: int) -> None:
    """Of 3000 that wait ten are claimed and removed, by looking at a few pages for each."""
    with psycopg.connect(database_url) as connection:
        connection.execute(FILL)
        connection.execute(BELIEVED, {"pages": pages, "rows": rows})
        connection.execute(statements.BY_INDEX)
        claim = {"kind": "job", "limit": 10}
        places = [row[0] for row in connection.execute(statements.CLAIM, claim)]
        claimed = connection.execute(EXPLAIN + statements.CLAIM, claim).fetchone()
        removed = connection.execute(EXPLAIN + statements.DELIVERED, {"places": places}).fetchone()

    assert len(places) == 10
    assert claimed
    assert removed
    assert pages_read(claimed) < 100
    assert pages_read(removed) < 100


def pages_read(explained: tuple[list[dict[str, dict[str, int]]], ...]) -> int:
    plan = explained[0][0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]

"""What `migrate` prints."""

import json
import re

import psycopg

from tests.support.command import run
from tests.support.indexes import INDEXES, create_filled_table


def test_indexes_of_a_table_in_use_are_told(empty_database_url: str) -> None:
    """After the migrations, each with a line before and one after; then there is nothing left."""
    create_filled_table(empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE automation_executions")

    ended = run("migrate", DATABASE_URL=empty_database_url)
    again = run("migrate", DATABASE_URL=empty_database_url)

    lines = ended.stdout.splitlines()
    built = lines[lines.index("applied procrastinate") + 1 :]
    told = [re.sub(r"[0-9.]+ s$", "… s", re.sub(r", \d+ kB", ", … kB", line)) for line in built]
    assert told == [
        line
        for name in INDEXES
        for line in (
            f"building {name} on automation_executions (about 1,000 rows, … kB)",
            f"applied {name} in … s",
        )
    ]
    assert ended.stderr == ""
    assert again.stdout == "up to date\n"


def test_json_names_what_was_applied(empty_database_url: str) -> None:
    """Indexes included; what is told for people goes to standard error."""
    create_filled_table(empty_database_url)

    ended = run("migrate", "--json", DATABASE_URL=empty_database_url)
    again = run("migrate", "--json", DATABASE_URL=empty_database_url)

    assert json.loads(ended.stdout)["applied"][-5:] == ["procrastinate", *INDEXES]
    assert f"building {INDEXES[0]} on automation_executions" in ended.stderr
    assert json.loads(again.stdout) == {"applied": []}
    assert again.stderr == ""

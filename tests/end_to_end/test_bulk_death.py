"""A process that is killed between the commit of a bulk retry and its answer."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

import psycopg
import pytest

from automation_retry.application import MessageKind
from tests.end_to_end.test_idempotency import attempts
from tests.support.bulk import bulk_retry, outcomes
from tests.support.command import ROOT, environment
from tests.support.factories import a_failed_execution
from tests.support.world import World

CHILD = """
import asyncio, json, os
from uuid import UUID
from dependency_injector import providers
from automation_retry.domain import AUTOMATION_EXECUTE, Principal
from automation_retry.entrypoints.container import Container
from automation_retry.entrypoints.lifecycle import opened
from automation_retry.entrypoints.settings import read_settings
from tests.crash.death import Countdown, Death, DyingDatabase, Point

async def main():
    asked = json.loads(os.environ["ASKED"])
    database = DyingDatabase(os.environ["DATABASE_URL"])
    database.countdown = Countdown(Death(Point.AFTER_COMMIT, asked["commits"]))
    container = Container(settings=read_settings({"DATABASE_URL": os.environ["DATABASE_URL"]}))
    container.database.override(providers.Object(database))
    caller = [UUID(one) for one in asked["caller"]]
    names = ("tenant", "user_id", "api_key_id")
    principal = Principal(
        **dict(zip(names, caller)), permissions=frozenset({AUTOMATION_EXECUTE})
    )
    async with opened(container, relay=False):
        await container.bulk_retry()(principal, asked["ids"], idempotency_key="k")

asyncio.run(main())
"""
REFUSE_LAST: LiteralString = """
CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.trigger_data ? 'odd' THEN RAISE EXCEPTION 'no'; END IF;
    RETURN NEW;
END; $$;
CREATE TRIGGER theirs BEFORE UPDATE ON automation_executions
FOR EACH ROW EXECUTE FUNCTION theirs();
"""


async def killed_after_its_commit(
    world: World, url: str, key: str, ids: Sequence[UUID], commits: int
) -> None:
    """Another process that begins the request of this key and dies after so many commits."""
    caller = (await world.storage.authenticator.authenticate(key)).principal
    asked = {
        "ids": [str(one) for one in ids],
        "commits": commits,
        "caller": [str(one) for one in (caller.tenant, caller.user_id, caller.api_key_id)],
    }
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", CHILD],
        cwd=ROOT,
        env=environment({"DATABASE_URL": url, "ASKED": json.dumps(asked)}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def let_a_minute_pass(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "UPDATE automation_idempotency_keys SET held_until = held_until - interval '60 s'"
        )


@pytest.mark.parametrize("commits", [1, 2])
async def test_the_next_request_answers_for_it(
    postgres_world: World, database_url: str, commits: int
) -> None:
    """409 for a minute. Then each is retried once, whatever part the dead process had committed."""
    world, key = postgres_world, await postgres_world.key()
    added = [a_failed_execution(tenant=world.tenant) for _ in range(7)]
    odd = a_failed_execution(tenant=world.tenant, trigger_data={"odd": True})
    await world.storage.executions.add([*added, odd])
    ids = [one.execution_id for one in (*added, odd)]
    with psycopg.connect(database_url) as connection:
        connection.execute(REFUSE_LAST)
    await killed_after_its_commit(world, database_url, key, ids, commits)
    done_before = [await attempts(world, one) for one in ids]

    running = await bulk_retry(world, key, ids, idempotency_key="k")
    let_a_minute_pass(database_url)
    answer = await bulk_retry(world, key, ids, idempotency_key="k")
    replayed = await bulk_retry(world, key, ids, idempotency_key="k")

    queued = [one.retried.execution_id for one in await world.sent(MessageKind.JOB)]
    assert 0 < sum(done_before) < 7
    assert running.status_code == 409
    assert outcomes(answer) == [1] * 7 + ["INTERNAL_ERROR"]
    assert replayed.content == answer.content
    assert [await attempts(world, one) for one in ids] == [1] * 7 + [0]
    assert sorted(queued) == sorted(ids[:7])

"""What is counted and noted of the use of a key."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from automation_retry.application import InvalidApiKey
from automation_retry.application.ports import User
from automation_retry.domain import Principal
from tests.contracts.api_keys import key_id, last_used_at, usage_count
from tests.contracts.storage import StorageUnderTest

PAST = datetime(2020, 1, 1, tzinfo=UTC)


async def use(storage: StorageUnderTest, api_key: str, tenant: UUID | None = None) -> Principal:
    """As a request does."""
    key = await storage.authenticator.authenticate(api_key, tenant)
    if key.has_usage_limit:
        await storage.authenticator.count_use(key.principal)
    return key.principal


async def test_a_limited_key_is_valid_as_often_as_its_limit_says(
    storage: StorageUnderTest, user: User
) -> None:
    """Of a hundred concurrent requests with a limit of ten, ten get in."""
    api_key = await storage.directory.create_api_key(user=user, usage_limit=10)
    outcomes = await asyncio.gather(
        *(use(storage, api_key) for _ in range(100)), return_exceptions=True
    )

    assert sum(isinstance(one, Principal) for one in outcomes) == 10
    assert sum(isinstance(one, InvalidApiKey) for one in outcomes) == 90
    assert await usage_count(storage, user) == 10


async def test_a_refused_request_uses_nothing_up(storage: StorageUnderTest, user: User) -> None:
    """Whoever asks with the wrong tenant does not spend the last use of the key."""
    api_key = await storage.directory.create_api_key(user=user, usage_limit=1)
    with pytest.raises(InvalidApiKey):
        await use(storage, api_key, uuid4())

    assert (await use(storage, api_key)).user_id == user.user_id


async def test_a_key_that_is_only_looked_at_is_not_used(
    storage: StorageUnderTest, user: User
) -> None:
    """As by a request that the rate limit refuses."""
    api_key = await storage.directory.create_api_key(user=user, usage_limit=1)
    for _ in range(3):
        key = await storage.authenticator.authenticate(api_key)

    assert key.has_usage_limit
    assert await usage_count(storage, user) == 0


async def test_uses_of_an_unlimited_key_are_not_counted(
    storage: StorageUnderTest, user: User
) -> None:
    """Without a limit there is no write for each request."""
    api_key = await storage.directory.create_api_key(user=user)
    for _ in range(3):
        await use(storage, api_key)

    assert await usage_count(storage, user) == 0


async def test_the_first_use_of_a_key_is_noted(storage: StorageUnderTest, user: User) -> None:
    """A key that was never used says so, until it is used."""
    api_key = await storage.directory.create_api_key(user=user)
    assert await last_used_at(storage, user) is None
    before = datetime.now(UTC)
    await use(storage, api_key)
    noted = await last_used_at(storage, user)

    assert noted is not None
    assert abs(noted - before) < timedelta(minutes=1)


async def test_a_use_within_a_minute_of_the_last_is_not_noted(
    storage: StorageUnderTest, user: User
) -> None:
    """`last_used_at` costs a busy key at most one write a minute."""
    api_key = await storage.directory.create_api_key(user=user)
    just_now = datetime.now(UTC) - timedelta(seconds=5)
    await storage.neighbours.set_last_used_at(await key_id(storage, user), just_now)
    await use(storage, api_key)

    assert await last_used_at(storage, user) == just_now


async def test_a_use_after_more_than_a_minute_is_noted(
    storage: StorageUnderTest, user: User
) -> None:
    """`last_used_at` lags behind by a minute and no more."""
    api_key = await storage.directory.create_api_key(user=user)
    earlier = datetime.now(UTC) - timedelta(minutes=2)
    await storage.neighbours.set_last_used_at(await key_id(storage, user), earlier)
    await use(storage, api_key)
    noted = await last_used_at(storage, user)

    assert noted is not None
    assert noted > earlier + timedelta(minutes=1)


async def test_a_refused_use_is_not_noted(storage: StorageUnderTest, user: User) -> None:
    """A key that opens nothing was not used."""
    api_key = await storage.directory.create_api_key(user=user, expires_at=PAST)
    with pytest.raises(InvalidApiKey):
        await use(storage, api_key)

    assert await last_used_at(storage, user) is None

"""Users and API keys of the contract suites."""

from datetime import datetime
from uuid import UUID, uuid4

from automation_retry.application.ports import User
from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ
from tests.contracts.storage import StorageUnderTest


async def a_user(storage: StorageUnderTest) -> User:
    return await storage.directory.ensure_user(
        tenant=uuid4(),
        company_name="Example Ltd",
        username="ada",
        email="ada@example.com",
        permissions=frozenset({AUTOMATION_READ, AUTOMATION_EXECUTE}),
    )


async def key_id(storage: StorageUnderTest, user: User) -> UUID:
    """The id of the only key in the user's tenant."""
    (key,) = await storage.directory.api_keys(user.tenant)
    return key.api_key_id


async def usage_count(storage: StorageUnderTest, user: User) -> int:
    (key,) = await storage.directory.api_keys(user.tenant)
    return key.usage_count


async def last_used_at(storage: StorageUnderTest, user: User) -> datetime | None:
    await storage.neighbours.finish_writing()
    (key,) = await storage.directory.api_keys(user.tenant)
    return key.last_used_at

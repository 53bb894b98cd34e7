import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from automation_retry.application import InvalidApiKey
from automation_retry.application.ports import User
from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ, Permission, Principal
from tests.ports.storage import Storage

READ_TICKETS = Permission("ticket", "read")
PAST = datetime(2020, 1, 1, tzinfo=UTC)
FUTURE = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture
async def user(storage: Storage) -> User:
    """A user who may read and execute, in a tenant of its own."""
    return await a_user(storage)


async def a_user(storage: Storage) -> User:
    return await storage.directory.ensure_user(
        tenant=uuid4(),
        company_name="Example Ltd",
        username="ada",
        email="ada@example.com",
        permissions=frozenset({AUTOMATION_READ, AUTOMATION_EXECUTE}),
    )


async def key_id(storage: Storage, user: User) -> UUID:
    """The id of the only key in the user's tenant."""
    (key,) = await storage.directory.api_keys(user.tenant)
    return key.api_key_id


async def usage_count(storage: Storage, user: User) -> int:
    (key,) = await storage.directory.api_keys(user.tenant)
    return key.usage_count


async def last_used_at(storage: Storage, user: User) -> datetime | None:
    await storage.neighbours.finish_writing()
    (key,) = await storage.directory.api_keys(user.tenant)
    return key.last_used_at


async def test_a_key_opens_as_its_user(storage: Storage, user: User) -> None:
    """The principal is the key's user with all that its roles grant."""
    api_key = await storage.directory.create_api_key(user=user)

    assert await storage.authenticator.authenticate(api_key) == Principal(
        tenant=user.tenant,
        user_id=user.user_id,
        api_key_id=await key_id(storage, user),
        permissions=frozenset({AUTOMATION_READ, AUTOMATION_EXECUTE}),
    )


async def test_a_key_opens_its_own_tenant(storage: Storage, user: User) -> None:
    """With a tenant asked for, the key must belong to it, and then nothing else changes."""
    api_key = await storage.directory.create_api_key(user=user)

    assert await storage.authenticator.authenticate(
        api_key, user.tenant
    ) == await storage.authenticator.authenticate(api_key)


async def test_a_key_that_has_not_expired_opens(storage: Storage, user: User) -> None:
    """An end in the future is no end yet."""
    api_key = await storage.directory.create_api_key(user=user, expires_at=FUTURE)

    assert (await storage.authenticator.authenticate(api_key)).user_id == user.user_id


Refused = Callable[[Storage, User], Awaitable[tuple[str, UUID | None]]]


async def unknown(_storage: Storage, _user: User) -> tuple[str, UUID | None]:
    return f"ar_{uuid4()}", None


async def empty(_storage: Storage, _user: User) -> tuple[str, UUID | None]:
    return "", None


async def unprintable(_storage: Storage, _user: User) -> tuple[str, UUID | None]:
    return "\0\udcff", None


async def altered(storage: Storage, user: User) -> tuple[str, UUID | None]:
    return (await storage.directory.create_api_key(user=user)).swapcase(), None


async def revoked(storage: Storage, user: User) -> tuple[str, UUID | None]:
    api_key = await storage.directory.create_api_key(user=user)
    await storage.directory.revoke_api_key(await key_id(storage, user))
    return api_key, None


async def expired(storage: Storage, user: User) -> tuple[str, UUID | None]:
    return await storage.directory.create_api_key(user=user, expires_at=PAST), None


async def used_up(storage: Storage, user: User) -> tuple[str, UUID | None]:
    api_key = await storage.directory.create_api_key(user=user, usage_limit=1)
    await storage.authenticator.authenticate(api_key)
    return api_key, None


async def never_to_be_used(storage: Storage, user: User) -> tuple[str, UUID | None]:
    return await storage.directory.create_api_key(user=user, usage_limit=0), None


async def of_an_inactive_user(storage: Storage, user: User) -> tuple[str, UUID | None]:
    api_key = await storage.directory.create_api_key(user=user)
    await storage.neighbours.deactivate_user(user)
    return api_key, None


async def of_nobody(storage: Storage, user: User) -> tuple[str, UUID | None]:
    api_key = await storage.directory.create_api_key(user=user)
    await storage.neighbours.remove_user(user)
    return api_key, None


async def of_another_tenant(storage: Storage, user: User) -> tuple[str, UUID | None]:
    other = await a_user(storage)
    return await storage.directory.create_api_key(user=user), other.tenant


async def of_a_tenant_that_is_none(storage: Storage, user: User) -> tuple[str, UUID | None]:
    return await storage.directory.create_api_key(user=user), uuid4()


@pytest.mark.parametrize(
    "refused",
    [
        unknown,
        empty,
        unprintable,
        altered,
        revoked,
        expired,
        used_up,
        never_to_be_used,
        of_an_inactive_user,
        of_nobody,
        of_another_tenant,
        of_a_tenant_that_is_none,
    ],
)
async def test_an_invalid_key_opens_nothing_and_tells_nothing(
    storage: Storage, user: User, refused: Refused
) -> None:
    """Whatever is wrong with a key, the message is the same; only the log hears the reason."""
    api_key, tenant = await refused(storage, user)

    with pytest.raises(InvalidApiKey, match=r"^Invalid API key$") as invalid:
        await storage.authenticator.authenticate(api_key, tenant)
    assert invalid.value.reason
    assert not api_key or api_key not in invalid.value.reason


async def test_a_revoked_key_stops_at_once(storage: Storage, user: User) -> None:
    """Nothing remembers that it was good a moment ago."""
    api_key = await storage.directory.create_api_key(user=user)
    principal = await storage.authenticator.authenticate(api_key)
    assert principal.api_key_id
    await storage.directory.revoke_api_key(principal.api_key_id)

    with pytest.raises(InvalidApiKey):
        await storage.authenticator.authenticate(api_key)


async def test_permissions_come_through_all_roles(storage: Storage) -> None:
    """What one role lacks another may grant, and what both grant counts once."""
    user = User(tenant=uuid4(), user_id=uuid4(), username="ada")
    await storage.neighbours.add_user(user)
    read, execute = uuid4(), uuid4()
    await storage.neighbours.give_role(user, uuid4(), {read: AUTOMATION_READ})
    await storage.neighbours.give_role(
        user, uuid4(), {read: AUTOMATION_READ, execute: AUTOMATION_EXECUTE}
    )
    api_key = await storage.directory.create_api_key(user=user)
    principal = await storage.authenticator.authenticate(api_key)

    assert principal.permissions == {AUTOMATION_READ, AUTOMATION_EXECUTE}


async def test_a_user_without_roles_has_no_permissions(storage: Storage) -> None:
    """The key opens, and nothing is granted."""
    user = User(tenant=uuid4(), user_id=uuid4(), username="ada")
    await storage.neighbours.add_user(user)
    api_key = await storage.directory.create_api_key(user=user)
    principal = await storage.authenticator.authenticate(api_key)

    assert principal.permissions == frozenset()


async def test_equal_ids_in_another_tenant_grant_nothing(storage: Storage) -> None:
    """A user, role and permission of one tenant mean nothing in another that uses their ids."""
    user_id, role_id, permission_id, other_role_id = uuid4(), uuid4(), uuid4(), uuid4()
    here = User(tenant=uuid4(), user_id=user_id, username="ada")
    there = User(tenant=uuid4(), user_id=user_id, username="ada")
    await storage.neighbours.add_user(here)
    await storage.neighbours.add_user(there)
    await storage.neighbours.give_role(here, role_id, {permission_id: AUTOMATION_READ})
    await storage.neighbours.give_role(
        there, role_id, {permission_id: AUTOMATION_EXECUTE, uuid4(): READ_TICKETS}
    )
    await storage.neighbours.give_role(there, other_role_id, {permission_id: AUTOMATION_EXECUTE})
    api_key = await storage.directory.create_api_key(user=here)
    principal = await storage.authenticator.authenticate(api_key)

    assert principal.permissions == {AUTOMATION_READ}


async def test_a_limited_key_opens_as_often_as_its_limit_says(storage: Storage, user: User) -> None:
    """Of a hundred concurrent requests with a limit of ten, ten get in."""
    api_key = await storage.directory.create_api_key(user=user, usage_limit=10)
    outcomes = await asyncio.gather(
        *(storage.authenticator.authenticate(api_key) for _ in range(100)), return_exceptions=True
    )

    assert sum(isinstance(one, Principal) for one in outcomes) == 10
    assert sum(isinstance(one, InvalidApiKey) for one in outcomes) == 90
    assert await usage_count(storage, user) == 10


async def test_a_refused_request_uses_nothing_up(storage: Storage, user: User) -> None:
    """Whoever asks with the wrong tenant does not spend the last use of the key."""
    api_key = await storage.directory.create_api_key(user=user, usage_limit=1)
    with pytest.raises(InvalidApiKey):
        await storage.authenticator.authenticate(api_key, uuid4())

    assert (await storage.authenticator.authenticate(api_key)).user_id == user.user_id


async def test_uses_of_an_unlimited_key_are_not_counted(storage: Storage, user: User) -> None:
    """Without a limit there is no write for each request."""
    api_key = await storage.directory.create_api_key(user=user)
    for _ in range(3):
        await storage.authenticator.authenticate(api_key)

    assert await usage_count(storage, user) == 0


async def test_the_first_use_of_a_key_is_noted(storage: Storage, user: User) -> None:
    """A key that was never used says so, until it is used."""
    api_key = await storage.directory.create_api_key(user=user)
    assert await last_used_at(storage, user) is None
    before = datetime.now(UTC)
    await storage.authenticator.authenticate(api_key)
    noted = await last_used_at(storage, user)

    assert noted is not None
    assert abs(noted - before) < timedelta(minutes=1)


async def test_a_use_within_a_minute_of_the_last_is_not_noted(storage: Storage, user: User) -> None:
    """`last_used_at` costs a busy key at most one write a minute."""
    api_key = await storage.directory.create_api_key(user=user)
    just_now = datetime.now(UTC) - timedelta(seconds=5)
    await storage.neighbours.set_last_used_at(await key_id(storage, user), just_now)
    await storage.authenticator.authenticate(api_key)

    assert await last_used_at(storage, user) == just_now


async def test_a_use_after_more_than_a_minute_is_noted(storage: Storage, user: User) -> None:
    """`last_used_at` lags behind by a minute and no more."""
    api_key = await storage.directory.create_api_key(user=user)
    earlier = datetime.now(UTC) - timedelta(minutes=2)
    await storage.neighbours.set_last_used_at(await key_id(storage, user), earlier)
    await storage.authenticator.authenticate(api_key)
    noted = await last_used_at(storage, user)

    assert noted is not None
    assert noted > earlier + timedelta(minutes=1)


async def test_a_refused_use_is_not_noted(storage: Storage, user: User) -> None:
    """A key that opens nothing was not used."""
    api_key = await storage.directory.create_api_key(user=user, expires_at=PAST)
    with pytest.raises(InvalidApiKey):
        await storage.authenticator.authenticate(api_key)

    assert await last_used_at(storage, user) is None

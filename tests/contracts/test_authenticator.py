from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from automation_retry.application import InvalidApiKey
from automation_retry.application.ports import User
from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ, Permission, Principal
from tests.contracts.api_keys import a_user, key_id
from tests.contracts.storage import StorageUnderTest

READ_TICKETS = Permission("ticket", "read")
PAST = datetime(2020, 1, 1, tzinfo=UTC)
FUTURE = datetime(2100, 1, 1, tzinfo=UTC)


async def test_a_key_authenticates_its_user(storage: StorageUnderTest, user: User) -> None:
    """The principal is the key's user with all that its roles grant."""
    api_key = await storage.directory.create_api_key(user=user)

    assert (await storage.authenticator.authenticate(api_key)).principal == Principal(
        tenant=user.tenant,
        user_id=user.user_id,
        api_key_id=await key_id(storage, user),
        permissions=frozenset({AUTOMATION_READ, AUTOMATION_EXECUTE}),
    )


async def test_a_key_is_valid_in_its_own_tenant(storage: StorageUnderTest, user: User) -> None:
    """With a tenant asked for, the key must belong to it, and then nothing else changes."""
    api_key = await storage.directory.create_api_key(user=user)

    assert await storage.authenticator.authenticate(
        api_key, user.tenant
    ) == await storage.authenticator.authenticate(api_key)


async def test_a_key_that_has_not_expired_is_valid(storage: StorageUnderTest, user: User) -> None:
    """An end in the future is no end yet."""
    api_key = await storage.directory.create_api_key(user=user, expires_at=FUTURE)

    assert (await storage.authenticator.authenticate(api_key)).principal.user_id == user.user_id


Refused = Callable[[StorageUnderTest, User], Awaitable[tuple[str, UUID | None]]]


async def unknown(_storage: StorageUnderTest, _user: User) -> tuple[str, UUID | None]:
    return f"ar_{uuid4()}", None


async def empty(_storage: StorageUnderTest, _user: User) -> tuple[str, UUID | None]:
    return "", None


async def unprintable(_storage: StorageUnderTest, _user: User) -> tuple[str, UUID | None]:
    return "\0\udcff", None


async def altered(storage: StorageUnderTest, user: User) -> tuple[str, UUID | None]:
    return (await storage.directory.create_api_key(user=user)).swapcase(), None


async def revoked(storage: StorageUnderTest, user: User) -> tuple[str, UUID | None]:
    api_key = await storage.directory.create_api_key(user=user)
    await storage.directory.revoke_api_key(await key_id(storage, user))
    return api_key, None


async def expired(storage: StorageUnderTest, user: User) -> tuple[str, UUID | None]:
    return await storage.directory.create_api_key(user=user, expires_at=PAST), None


async def used_up(storage: StorageUnderTest, user: User) -> tuple[str, UUID | None]:
    api_key = await storage.directory.create_api_key(user=user, usage_limit=1)
    await storage.authenticator.count_use(
        (await storage.authenticator.authenticate(api_key)).principal
    )
    return api_key, None


async def never_to_be_used(storage: StorageUnderTest, user: User) -> tuple[str, UUID | None]:
    return await storage.directory.create_api_key(user=user, usage_limit=0), None


async def of_an_inactive_user(storage: StorageUnderTest, user: User) -> tuple[str, UUID | None]:
    api_key = await storage.directory.create_api_key(user=user)
    await storage.neighbours.deactivate_user(user)
    return api_key, None


async def of_a_missing_user(storage: StorageUnderTest, user: User) -> tuple[str, UUID | None]:
    api_key = await storage.directory.create_api_key(user=user)
    await storage.neighbours.remove_user(user)
    return api_key, None


async def of_another_tenant(storage: StorageUnderTest, user: User) -> tuple[str, UUID | None]:
    other = await a_user(storage)
    return await storage.directory.create_api_key(user=user), other.tenant


async def of_a_tenant_that_is_none(
    storage: StorageUnderTest, user: User
) -> tuple[str, UUID | None]:
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
        of_a_missing_user,
        of_another_tenant,
        of_a_tenant_that_is_none,
    ],
)
async def test_an_invalid_key_is_refused_without_a_reason(
    storage: StorageUnderTest, user: User, refused: Refused
) -> None:
    """Whatever is wrong with a key, the message is the same; only the log hears the reason."""
    api_key, tenant = await refused(storage, user)

    with pytest.raises(InvalidApiKey, match=r"^Invalid API key$") as invalid:
        await storage.authenticator.authenticate(api_key, tenant)
    assert invalid.value.reason
    assert not api_key or api_key not in invalid.value.reason


async def test_a_revoked_key_stops_at_once(storage: StorageUnderTest, user: User) -> None:
    """Nothing remembers that it was good a moment ago."""
    api_key = await storage.directory.create_api_key(user=user)
    principal = (await storage.authenticator.authenticate(api_key)).principal
    assert principal.api_key_id
    await storage.directory.revoke_api_key(principal.api_key_id)

    with pytest.raises(InvalidApiKey):
        await storage.authenticator.authenticate(api_key)


async def test_permissions_come_through_all_roles(storage: StorageUnderTest) -> None:
    """What one role lacks another may grant, and what both grant counts once."""
    user = User(tenant=uuid4(), user_id=uuid4(), username="ada")
    await storage.neighbours.add_user(user)
    read, execute = uuid4(), uuid4()
    await storage.neighbours.give_role(user, uuid4(), {read: AUTOMATION_READ})
    await storage.neighbours.give_role(
        user, uuid4(), {read: AUTOMATION_READ, execute: AUTOMATION_EXECUTE}
    )
    api_key = await storage.directory.create_api_key(user=user)
    principal = (await storage.authenticator.authenticate(api_key)).principal

    assert principal.permissions == {AUTOMATION_READ, AUTOMATION_EXECUTE}


async def test_a_user_without_roles_has_no_permissions(storage: StorageUnderTest) -> None:
    """The key opens, and nothing is granted."""
    user = User(tenant=uuid4(), user_id=uuid4(), username="ada")
    await storage.neighbours.add_user(user)
    api_key = await storage.directory.create_api_key(user=user)
    principal = (await storage.authenticator.authenticate(api_key)).principal

    assert principal.permissions == frozenset()


async def test_equal_ids_in_another_tenant_grant_nothing(storage: StorageUnderTest) -> None:
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
    principal = (await storage.authenticator.authenticate(api_key)).principal

    assert principal.permissions == {AUTOMATION_READ}

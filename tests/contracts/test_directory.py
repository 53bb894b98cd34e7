import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from automation_retry.application import InvalidApiKey, UserExists
from automation_retry.application.ports import ApiKey, ApiKeyStatus, User, UserAccount
from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ, Permission
from tests.contracts.storage import StorageUnderTest

BOTH = frozenset({AUTOMATION_EXECUTE, AUTOMATION_READ})
READ_ONLY = frozenset({AUTOMATION_READ})


@pytest.fixture
def tenant() -> UUID:
    return uuid4()


async def ensured(
    storage: StorageUnderTest,
    tenant: UUID,
    username: str = "ada",
    permissions: frozenset[Permission] = BOTH,
) -> User:
    return await storage.directory.ensure_user(
        tenant=tenant,
        company_name="Example Ltd",
        username=username,
        email=f"{username}@example.com",
        permissions=permissions,
    )


async def permissions_of(storage: StorageUnderTest, user: User) -> frozenset[Permission]:
    """What the user may do with a new key."""
    api_key = await storage.directory.create_api_key(user=user)
    return (await storage.authenticator.authenticate(api_key)).principal.permissions


async def test_a_user_is_made_with_its_permissions(storage: StorageUnderTest, tenant: UUID) -> None:
    """A new tenant, user, role and grants are enough for a key that opens."""
    user = await ensured(storage, tenant, permissions=READ_ONLY)

    assert (user.tenant, user.username) == (tenant, "ada")
    assert await permissions_of(storage, user) == READ_ONLY


async def test_the_name_of_a_user_is_told(storage: StorageUnderTest, tenant: UUID) -> None:
    """Also of one that is inactive; None for another user and for another tenant."""
    user = await ensured(storage, tenant)
    await ensured(storage, tenant, username="grace")
    await storage.directory.set_user_active(user, active=False)

    assert await storage.directory.username(tenant, user.user_id) == "ada"
    assert await storage.directory.username(tenant, uuid4()) is None
    assert await storage.directory.username(uuid4(), user.user_id) is None


async def test_a_user_is_made_once(storage: StorageUnderTest, tenant: UUID) -> None:
    """Asking again for what exists gives what exists."""
    user = await ensured(storage, tenant)

    assert await ensured(storage, tenant) == user
    assert list(await storage.directory.find_user("ada", tenant)) == [user]
    assert await permissions_of(storage, user) == BOTH


async def test_permissions_are_added_and_never_taken_away(
    storage: StorageUnderTest, tenant: UUID
) -> None:
    """Asking with fewer permissions than before keeps those that the user has."""
    user = await ensured(storage, tenant, permissions=READ_ONLY)
    await ensured(storage, tenant, permissions=frozenset({AUTOMATION_EXECUTE}))
    assert await permissions_of(storage, user) == BOTH
    await ensured(storage, tenant, permissions=frozenset())

    assert await permissions_of(storage, user) == BOTH


async def test_a_new_user_has_a_name_of_its_own(storage: StorageUnderTest) -> None:
    """Of concurrent calls one creates the user, and the others are told where it is."""
    name = f"ada-{uuid4()}"
    outcomes = await asyncio.gather(
        *[
            storage.directory.create_user(
                company_name="Example Ltd", username=name, email="ada@x", permissions=READ_ONLY
            )
            for _ in range(5)
        ],
        return_exceptions=True,
    )

    [created] = [one for one in outcomes if isinstance(one, User)]
    refused = [one for one in outcomes if isinstance(one, UserExists)]
    assert [one.tenants for one in refused] == [[created.tenant]] * 4
    assert await permissions_of(storage, created) == READ_ONLY


async def test_users_are_listed_with_what_they_may_do(
    storage: StorageUnderTest, tenant: UUID
) -> None:
    """By name; in one tenant only its own."""
    grace = await ensured(storage, tenant, "grace", READ_ONLY)
    ada = await ensured(storage, tenant)
    await ensured(storage, uuid4())
    await storage.directory.set_user_active(grace, active=False)

    assert list(await storage.directory.users(tenant)) == [
        UserAccount(user=ada, company_name="Example Ltd", active=True, permissions=BOTH),
        UserAccount(user=grace, company_name="Example Ltd", active=False, permissions=READ_ONLY),
    ]


async def test_a_grant_adds_to_what_a_user_may_do(storage: StorageUnderTest, tenant: UUID) -> None:
    """Nothing is taken away."""
    user = await ensured(storage, tenant, permissions=READ_ONLY)
    await storage.directory.grant(user, frozenset({AUTOMATION_EXECUTE}))

    assert await permissions_of(storage, user) == BOTH


async def test_a_user_is_deactivated_and_activated(storage: StorageUnderTest, tenant: UUID) -> None:
    """Its keys follow, and say why."""
    user = await ensured(storage, tenant)
    api_key = await storage.directory.create_api_key(user=user)
    await storage.directory.set_user_active(user, active=False)
    [listed] = await storage.directory.api_keys(tenant)
    with pytest.raises(InvalidApiKey):
        await storage.authenticator.authenticate(api_key)
    await storage.directory.set_user_active(user, active=True)
    valid = await storage.authenticator.authenticate(api_key)

    assert listed.status is ApiKeyStatus.USER_INACTIVE
    assert valid.principal.user_id == user.user_id


async def test_a_removed_key_is_gone(storage: StorageUnderTest, tenant: UUID) -> None:
    """As if it had never been created; others stay."""
    user = await ensured(storage, tenant)
    api_key = await storage.directory.create_api_key(user=user)
    await storage.directory.create_api_key(user=user, description="other")
    await storage.directory.remove_api_key(user, api_key)

    assert [key.description for key in await storage.directory.api_keys(tenant)] == ["other"]
    with pytest.raises(InvalidApiKey):
        await storage.authenticator.authenticate(api_key)


async def test_users_of_one_tenant_do_not_share_permissions(
    storage: StorageUnderTest, tenant: UUID
) -> None:
    """Each user has a role of its own."""
    await ensured(storage, tenant, "ada", BOTH)
    grace = await ensured(storage, tenant, "grace", READ_ONLY)

    assert await permissions_of(storage, grace) == READ_ONLY


async def test_a_user_that_exists_is_kept(storage: StorageUnderTest, tenant: UUID) -> None:
    """A user that AlgaPSA made is given the role, not doubled."""
    user = User(tenant=tenant, user_id=uuid4(), username="ada")
    await storage.neighbours.add_user(user)

    assert await ensured(storage, tenant) == user
    assert await permissions_of(storage, user) == BOTH


async def test_a_user_is_found_by_name(storage: StorageUnderTest, tenant: UUID) -> None:
    """In one tenant there is one; without a tenant all of that name are found."""
    name = f"ada-{uuid4()}"
    here, there = await ensured(storage, tenant, name), await ensured(storage, uuid4(), name)
    await ensured(storage, tenant, "grace")

    assert list(await storage.directory.find_user(name, tenant)) == [here]
    assert {user.tenant: user for user in await storage.directory.find_user(name)} == {
        here.tenant: here,
        there.tenant: there,
    }
    assert here.user_id != there.user_id


async def test_a_user_that_does_not_exist_is_not_found(
    storage: StorageUnderTest, tenant: UUID
) -> None:
    """The answer is empty, in one tenant and in all."""
    await ensured(storage, tenant)

    assert list(await storage.directory.find_user("grace", tenant)) == []
    assert list(await storage.directory.find_user(f"{uuid4()}")) == []


async def test_a_key_is_listed_without_the_key(storage: StorageUnderTest, tenant: UUID) -> None:
    """The list tells whose key it is, what it is for, its limits and how it was used."""
    user = await ensured(storage, tenant)
    expires_at = datetime(2100, 1, 1, 12, 30, 0, 5, tzinfo=UTC)
    api_key = await storage.directory.create_api_key(
        user=user, description="nightly script", expires_at=expires_at, usage_limit=10
    )
    (listed,) = await storage.directory.api_keys(tenant)

    assert listed == ApiKey(
        tenant=tenant,
        api_key_id=listed.api_key_id,
        user_id=user.user_id,
        username="ada",
        description="nightly script",
        status=ApiKeyStatus.ACTIVE,
        created_at=listed.created_at,
        last_used_at=None,
        expires_at=expires_at,
        usage_limit=10,
        usage_count=0,
    )
    assert listed.created_at.utcoffset() is not None
    assert api_key not in repr(listed)


async def test_keys_are_listed_oldest_first(storage: StorageUnderTest, tenant: UUID) -> None:
    """In one tenant only its own; without a tenant, those of all."""
    user, other = await ensured(storage, tenant), await ensured(storage, uuid4())
    for number in range(5):
        await storage.directory.create_api_key(user=user, description=f"key {number}")
    await storage.directory.create_api_key(user=other, description="elsewhere")
    here = await storage.directory.api_keys(tenant)
    everywhere = await storage.directory.api_keys()

    assert [key.description for key in here] == [f"key {number}" for number in range(5)]
    assert [key for key in everywhere if key.tenant == tenant] == list(here)
    assert [key.description for key in everywhere if key.tenant == other.tenant] == ["elsewhere"]


async def test_every_key_is_another(storage: StorageUnderTest, tenant: UUID) -> None:
    """New keys are random and long, and each is listed under an id of its own."""
    user = await ensured(storage, tenant)
    keys = {await storage.directory.create_api_key(user=user) for _ in range(10)}

    assert len(keys) == 10
    assert min(len(key) for key in keys) >= 32
    assert len({key.api_key_id for key in await storage.directory.api_keys(tenant)}) == 10


async def test_a_key_made_elsewhere_opens(storage: StorageUnderTest, tenant: UUID) -> None:
    """A given key is stored like a new one."""
    user = await ensured(storage, tenant)
    api_key = f"made-elsewhere-{uuid4()}"

    assert await storage.directory.create_api_key(user=user, api_key=api_key) == api_key
    assert (await storage.authenticator.authenticate(api_key)).principal.user_id == user.user_id


async def test_a_key_that_exists_is_kept(storage: StorageUnderTest, tenant: UUID) -> None:
    """Giving a key a second time neither doubles it nor gives it to somebody else."""
    ada, grace = await ensured(storage, tenant), await ensured(storage, tenant, "grace")
    api_key = await storage.directory.create_api_key(user=ada, description="first")

    assert await storage.directory.create_api_key(user=grace, api_key=api_key) == api_key
    assert [(key.user_id, key.description) for key in await storage.directory.api_keys(tenant)] == [
        (ada.user_id, "first")
    ]
    assert (await storage.authenticator.authenticate(api_key)).principal.user_id == ada.user_id


async def test_a_revoked_key_is_listed_as_inactive(storage: StorageUnderTest, tenant: UUID) -> None:
    """Only the one that was meant is revoked; it stays in the list."""
    user = await ensured(storage, tenant)
    for description in ("old", "new"):
        await storage.directory.create_api_key(user=user, description=description)
    old, _ = await storage.directory.api_keys(tenant)

    assert await storage.directory.revoke_api_key(old.api_key_id)
    assert [(key.description, key.status) for key in await storage.directory.api_keys(tenant)] == [
        ("old", ApiKeyStatus.REVOKED),
        ("new", ApiKeyStatus.ACTIVE),
    ]


async def test_revoking_twice_is_revoking(storage: StorageUnderTest, tenant: UUID) -> None:
    """There still is such a key, and it still is inactive."""
    user = await ensured(storage, tenant)
    await storage.directory.create_api_key(user=user)
    (key,) = await storage.directory.api_keys(tenant)
    await storage.directory.revoke_api_key(key.api_key_id)

    assert await storage.directory.revoke_api_key(key.api_key_id)


async def test_a_key_that_is_none_cannot_be_revoked(storage: StorageUnderTest) -> None:
    """The answer tells that there was nothing to revoke."""
    assert not await storage.directory.revoke_api_key(uuid4())

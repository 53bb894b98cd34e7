from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

from attrs import frozen

from automation_retry.adapters.api_keys import digest, new_api_key
from automation_retry.adapters.postgres.connection import Connection
from automation_retry.adapters.postgres.database import Database
from automation_retry.adapters.postgres.loaders import OUT_OF_RANGE
from automation_retry.adapters.postgres.sql import identity as sql
from automation_retry.application import UserExists
from automation_retry.application.ports import (
    ApiKey,
    ApiKeyStatus,
    Directory,
    NewId,
    User,
    UserAccount,
)
from automation_retry.domain import Permission


async def _ensure_tenant(
    connection: Connection, tenant: UUID, company_name: str, email: str
) -> None:
    await connection.execute(
        sql.ENSURE_TENANT, {"tenant": tenant, "company_name": company_name, "email": email}
    )


def _without_infinity(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: None if value is OUT_OF_RANGE else value for name, value in row.items()}


@frozen
class PostgresDirectory(Directory):
    """AlgaPSA's identity tables, in a database that AlgaPSA does not maintain."""

    database: Database
    new_id: NewId

    async def ensure_user(
        self,
        *,
        tenant: UUID,
        company_name: str,
        username: str,
        email: str,
        permissions: frozenset[Permission],
    ) -> User:
        async with self._locked() as connection:
            await _ensure_tenant(connection, tenant, company_name, email)
            user = await self._ensure_user(connection, tenant, username, email)
            await self._grant_to_role(connection, user, permissions)
            return user

    async def create_user(
        self, *, company_name: str, username: str, email: str, permissions: frozenset[Permission]
    ) -> User:
        async with self._locked() as connection:
            named = {"username": username, "tenant": None}
            cursor = await connection.execute(sql.FIND_USER, named)
            if found := await cursor.fetchall():
                raise UserExists(username, [row["tenant"] for row in found])
            tenant = self.new_id()
            await _ensure_tenant(connection, tenant, company_name, email)
            user = await self._ensure_user(connection, tenant, username, email)
            await self._grant_to_role(connection, user, permissions)
            return user

    @asynccontextmanager
    async def _locked(self) -> AsyncIterator[Connection]:
        """A transaction. Names are not unique in these tables: only one at a time adds some."""
        async with self.database.connection() as connection, connection.transaction():
            await connection.execute(sql.LOCK_DIRECTORY)
            yield connection

    async def grant(self, user: User, permissions: frozenset[Permission]) -> None:
        async with self._locked() as connection:
            await self._grant_to_role(connection, user, permissions)

    async def _grant_to_role(
        self, connection: Connection, user: User, permissions: frozenset[Permission]
    ) -> None:
        role_id = await self._ensure_role(connection, user)
        for permission in sorted(permissions, key=str):
            await self._grant(connection, user.tenant, role_id, permission)

    async def _ensure_user(
        self, connection: Connection, tenant: UUID, username: str, email: str
    ) -> User:
        cursor = await connection.execute(sql.FIND_USER, {"username": username, "tenant": tenant})
        if row := await cursor.fetchone():
            return User(**row)
        user = User(tenant=tenant, user_id=self.new_id(), username=username)
        await connection.execute(
            sql.ADD_USER,
            {"tenant": tenant, "user_id": user.user_id, "username": username, "email": email},
        )
        return user

    async def _ensure_role(self, connection: Connection, user: User) -> UUID:
        role = {"tenant": user.tenant, "role_name": f"automation-retry: {user.username}"}
        cursor = await connection.execute(sql.FIND_ROLE, role)
        if row := await cursor.fetchone():
            role_id: UUID = row["role_id"]
        else:
            role_id = self.new_id()
            await connection.execute(sql.ADD_ROLE, role | {"role_id": role_id})
        await connection.execute(
            sql.ENSURE_USER_ROLE,
            {"tenant": user.tenant, "user_id": user.user_id, "role_id": role_id},
        )
        return role_id

    async def _grant(
        self, connection: Connection, tenant: UUID, role_id: UUID, permission: Permission
    ) -> None:
        wanted = {
            "tenant": tenant,
            "resource": permission.resource,
            "action": permission.action,
        }
        cursor = await connection.execute(sql.FIND_PERMISSION, wanted)
        if row := await cursor.fetchone():
            permission_id: UUID = row["permission_id"]
        else:
            permission_id = self.new_id()
            await connection.execute(sql.ADD_PERMISSION, wanted | {"permission_id": permission_id})
        await connection.execute(
            sql.GRANT,
            {"tenant": tenant, "role_id": role_id, "permission_id": permission_id},
        )

    async def create_api_key(
        self,
        *,
        user: User,
        description: str | None = None,
        expires_at: datetime | None = None,
        usage_limit: int | None = None,
        api_key: str | None = None,
    ) -> str:
        plain = api_key or new_api_key()
        await self.database.execute(
            sql.ADD_API_KEY,
            {
                "tenant": user.tenant,
                "api_key_id": self.new_id(),
                "digest": digest(plain),
                "user_id": user.user_id,
                "description": description,
                "expires_at": expires_at,
                "usage_limit": usage_limit,
            },
        )
        return plain

    async def remove_api_key(self, user: User, api_key: str) -> None:
        await self.database.execute(
            sql.REMOVE_API_KEY, {"tenant": user.tenant, "digest": digest(api_key)}
        )

    async def username(self, tenant: UUID, user_id: UUID) -> str | None:
        rows = await self.database.fetch(sql.USERNAME, {"tenant": tenant, "user_id": user_id})
        return rows[0]["username"] if rows else None

    async def find_user(self, username: str, tenant: UUID | None = None) -> Sequence[User]:
        rows = await self.database.fetch(sql.FIND_USER, {"username": username, "tenant": tenant})
        return [User(**row) for row in rows]

    async def users(self, tenant: UUID | None = None) -> Sequence[UserAccount]:
        rows = await self.database.fetch(sql.USERS, {"tenant": tenant})
        return [
            UserAccount(
                user=User(tenant=row["tenant"], user_id=row["user_id"], username=row["username"]),
                company_name=row["company_name"],
                active=row["active"],
                permissions=frozenset(Permission(*one) for one in row["permissions"]),
            )
            for row in rows
        ]

    async def set_user_active(self, user: User, *, active: bool) -> None:
        await self.database.execute(
            sql.SET_USER_INACTIVE,
            {"tenant": user.tenant, "user_id": user.user_id, "is_inactive": not active},
        )

    async def api_keys(self, tenant: UUID | None = None) -> Sequence[ApiKey]:
        rows = await self.database.fetch(sql.API_KEYS, {"tenant": tenant})
        return [
            ApiKey(**_without_infinity(row) | {"status": ApiKeyStatus(row["status"])})
            for row in rows
        ]

    async def revoke_api_key(self, api_key_id: UUID) -> bool:
        return await self.database.execute(sql.REVOKE_API_KEY, {"api_key_id": api_key_id}) > 0

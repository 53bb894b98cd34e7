"""The tables, as SQLAlchemy's ORM has them."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import DateTime, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        datetime: DateTime(timezone=True),
        str: Text,
    }


class ApiKey(Base):
    __tablename__ = "api_keys"

    tenant: Mapped[UUID] = mapped_column(primary_key=True)
    api_key_id: Mapped[UUID] = mapped_column(primary_key=True)
    api_key: Mapped[str]
    user_id: Mapped[UUID]
    active: Mapped[bool]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    usage_limit: Mapped[int | None]
    usage_count: Mapped[int]


class User(Base):
    __tablename__ = "users"

    tenant: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    is_inactive: Mapped[bool]


class UserRole(Base):
    __tablename__ = "user_roles"

    tenant: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    role_id: Mapped[UUID] = mapped_column(primary_key=True)


class Permission(Base):
    __tablename__ = "permissions"

    tenant: Mapped[UUID] = mapped_column(primary_key=True)
    permission_id: Mapped[UUID] = mapped_column(primary_key=True)
    resource: Mapped[str]
    action: Mapped[str]


class RolePermission(Base):
    __tablename__ = "role_permissions"

    tenant: Mapped[UUID] = mapped_column(primary_key=True)
    role_id: Mapped[UUID] = mapped_column(primary_key=True)
    permission_id: Mapped[UUID] = mapped_column(primary_key=True)


class Execution(Base):
    __tablename__ = "automation_executions"

    tenant: Mapped[UUID] = mapped_column(primary_key=True)
    execution_id: Mapped[UUID] = mapped_column(primary_key=True)
    automation_rule_id: Mapped[UUID]
    trigger_data: Mapped[dict[str, Any]]
    status: Mapped[str]
    started_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    duration_ms: Mapped[float | None]
    actions_total: Mapped[int]
    actions_successful: Mapped[int]
    actions_failed: Mapped[int]
    error_message: Mapped[str | None]
    error_stack: Mapped[str | None]
    failed_action_index: Mapped[int | None]
    execution_context: Mapped[dict[str, Any]]
    logs: Mapped[list[Any]]
    retry_count: Mapped[int]


class FailedAttempt(Base):
    __tablename__ = "automation_failed_attempts"

    tenant: Mapped[UUID] = mapped_column(primary_key=True)
    execution_id: Mapped[UUID] = mapped_column(primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    retried_at: Mapped[datetime]
    retried_by: Mapped[UUID]
    api_key_id: Mapped[UUID | None]
    request_id: Mapped[str | None]
    started_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    duration_ms: Mapped[float | None]
    actions_successful: Mapped[int]
    actions_failed: Mapped[int]
    error_message: Mapped[str | None]
    error_stack: Mapped[str | None]
    failed_action_index: Mapped[int | None]


class OutboxMessage(Base):
    __tablename__ = "automation_outbox"

    tenant: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    execution_id: Mapped[UUID]
    attempt: Mapped[int]
    body: Mapped[dict[str, Any]]

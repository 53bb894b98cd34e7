"""What goes out, as pydantic models."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class ExecutionOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    execution_id: UUID
    automation_rule_id: UUID
    trigger_data: dict[str, Any]
    status: str
    started_at: datetime
    completed_at: datetime | None
    duration_ms: float | None
    actions_total: int
    actions_successful: int
    actions_failed: int
    error_message: str | None
    error_stack: str | None
    failed_action_index: int | None
    execution_context: dict[str, Any]
    logs: list[dict[str, Any]]
    tenant: UUID
    retry_count: int
    links: dict[str, str] = Field(serialization_alias="_links")


class RetriedOut(BaseModel):
    data: ExecutionOut


class Caller(BaseModel):
    tenant: UUID
    user_id: UUID
    api_key_id: UUID
    permissions: set[tuple[str, str]]

import hashlib
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID, uuid4

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from tests.benchmarks.peers.fastapi_sqlalchemy.models import (
    ApiKey,
    Execution,
    FailedAttempt,
    OutboxMessage,
    Permission,
    RolePermission,
    User,
    UserRole,
)
from tests.benchmarks.peers.fastapi_sqlalchemy.schemas import Caller, RetriedOut

engine = create_async_engine(
    os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://", 1),
    pool_size=10,
    max_overflow=0,
)
new_session = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


async def open_session() -> AsyncIterator[AsyncSession]:
    async with new_session() as session:
        yield session


Session = Annotated[AsyncSession, Depends(open_session)]


async def authenticate(session: Session, x_api_key: Annotated[str, Header()]) -> Caller:
    digest = hashlib.sha256(x_api_key.encode()).hexdigest()
    key = await session.scalar(
        select(ApiKey)
        .join(User, (User.tenant == ApiKey.tenant) & (User.user_id == ApiKey.user_id))
        .where(ApiKey.api_key == digest, ApiKey.active, ~User.is_inactive)
    )
    now = datetime.now(UTC)
    if key is None or (key.expires_at and key.expires_at <= now):
        raise HTTPException(401, "Invalid API key")
    if key.usage_limit is not None:
        await session.refresh(key, with_for_update=True)
        if key.usage_count >= key.usage_limit:
            raise HTTPException(401, "Invalid API key")
        key.usage_count += 1
    if key.last_used_at is None or key.last_used_at < now - timedelta(minutes=1):
        key.last_used_at = now
    permissions = await session.execute(
        select(Permission.resource, Permission.action)
        .join(
            RolePermission,
            (RolePermission.tenant == Permission.tenant)
            & (RolePermission.permission_id == Permission.permission_id),
        )
        .join(
            UserRole,
            (UserRole.tenant == RolePermission.tenant)
            & (UserRole.role_id == RolePermission.role_id),
        )
        .where(UserRole.tenant == key.tenant, UserRole.user_id == key.user_id)
    )
    return Caller(
        tenant=key.tenant,
        user_id=key.user_id,
        api_key_id=key.api_key_id,
        permissions={(resource, action) for resource, action in permissions},
    )


@app.post("/api/v1/automation/executions/{execution_id}/retry", response_model=RetriedOut)
async def retry(
    execution_id: UUID,
    session: Session,
    caller: Annotated[Caller, Depends(authenticate)],
    response: Response,
    x_request_id: Annotated[str | None, Header()] = None,
) -> dict[str, object]:
    if ("automation", "execute") not in caller.permissions:
        raise HTTPException(403, "Permission denied: Cannot execute automation")
    execution = await session.scalar(
        select(Execution)
        .where(Execution.tenant == caller.tenant, Execution.execution_id == execution_id)
        .with_for_update()
    )
    if execution is None:
        raise HTTPException(404, "Execution not found")
    if execution.status != "failed":
        raise HTTPException(400, "Only failed executions can be retried")
    now = datetime.now(UTC)
    request_id = x_request_id or str(uuid4())
    response.headers["x-request-id"] = request_id
    attempt = execution.retry_count + 1
    session.add(archived(execution, caller, now, request_id))
    session.add_all(messages(execution, caller, now, request_id))
    execution.status = "pending"
    execution.started_at = now
    execution.completed_at = None
    execution.duration_ms = None
    execution.actions_successful = 0
    execution.actions_failed = 0
    execution.error_message = None
    execution.error_stack = None
    execution.failed_action_index = None
    execution.retry_count = attempt
    await session.commit()
    links = {
        "execution": f"/api/v1/automation/executions/{execution.execution_id}",
        "rule": f"/api/v1/automation/rules/{execution.automation_rule_id}",
    }
    columns = {column.key: getattr(execution, column.key) for column in Execution.__table__.columns}
    return {"data": columns | {"links": links}}


def archived(execution: Execution, caller: Caller, now: datetime, request_id: str) -> FailedAttempt:
    return FailedAttempt(
        tenant=execution.tenant,
        execution_id=execution.execution_id,
        attempt=execution.retry_count + 1,
        retried_at=now,
        retried_by=caller.user_id,
        api_key_id=caller.api_key_id,
        request_id=request_id,
        started_at=execution.started_at,
        completed_at=execution.completed_at,
        duration_ms=execution.duration_ms,
        actions_successful=execution.actions_successful,
        actions_failed=execution.actions_failed,
        error_message=execution.error_message,
        error_stack=execution.error_stack,
        failed_action_index=execution.failed_action_index,
    )


def messages(
    execution: Execution, caller: Caller, now: datetime, request_id: str
) -> list[OutboxMessage]:
    job_id, event_id = uuid4(), uuid4()
    attempt = execution.retry_count + 1
    at = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
    common = {
        "tenant": execution.tenant,
        "execution_id": execution.execution_id,
        "attempt": attempt,
    }
    job = {
        "id": str(job_id),
        "tenant": str(execution.tenant),
        "execution_id": str(execution.execution_id),
        "automation_rule_id": str(execution.automation_rule_id),
        "attempt": attempt,
        "requested_at": at,
        "requested_by": str(caller.user_id),
        "request_id": request_id,
    }
    event = {
        "id": str(event_id),
        "eventType": "automation.execution.retried",
        "timestamp": at,
        "payload": {
            "executionId": str(execution.execution_id),
            "tenantId": str(execution.tenant),
            "userId": str(caller.user_id),
            "automationRuleId": str(execution.automation_rule_id),
            "attempt": attempt,
            "apiKeyId": str(caller.api_key_id),
            "requestId": request_id,
        },
    }
    return [
        OutboxMessage(id=job_id, kind="job", body=job, **common),
        OutboxMessage(id=event_id, kind="event", body=event, **common),
    ]


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), ws="none", server_header=False)

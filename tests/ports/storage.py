"""A storage as the contract suites see it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from attrs import frozen

from automation_retry.application import Message
from automation_retry.application.ports import (
    Authenticator,
    Directory,
    ExecutionRepository,
    NewUnitOfWork,
    Outbox,
    Readiness,
    User,
)
from automation_retry.domain import Execution, Permission


class Neighbours(Protocol):
    """What engines, AlgaPSA and operators do in the same storage, past our ports."""

    async def report(self, result: Execution) -> bool:
        """An engine stores a result `WHERE retry_count = <the result's>`; whether it did."""
        ...

    async def overwrite(self, execution: Execution) -> None:
        """An operator sets every value of a stored execution."""
        ...

    async def dead_letters(self, tenant: UUID) -> Sequence[tuple[Message, str]]:
        """The tenant's refused messages with their reasons, oldest refusal first."""
        ...

    async def add_user(self, user: User) -> None:
        """AlgaPSA adds a user, and its tenant where that is missing, with ids of its own."""
        ...

    async def give_role(
        self, user: User, role_id: UUID, permissions: Mapping[UUID, Permission]
    ) -> None:
        """AlgaPSA gives a user a role, made where it is missing; permissions by their ids."""
        ...

    async def deactivate_user(self, user: User) -> None:
        """AlgaPSA sets `is_inactive`."""
        ...

    async def remove_user(self, user: User) -> None:
        """AlgaPSA deletes a user whose keys stay, as without a foreign key it can."""
        ...

    async def set_last_used_at(self, api_key_id: UUID, moment: datetime) -> None:
        """As if the key had been used then, by another process too."""
        ...

    async def finish_writing(self) -> None:
        """Waits for what is written beside the requests, such as `last_used_at`."""
        ...


@frozen(kw_only=True, repr=False)
class Storage:
    """One storage behind its ports; what one test writes in tenants of its own stays there."""

    repository: ExecutionRepository
    new_unit_of_work: NewUnitOfWork
    outbox: Outbox
    authenticator: Authenticator
    directory: Directory
    readiness: Readiness
    neighbours: Neighbours

"""A storage as the contract suites see it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from attrs import frozen

from automation_retry.application import MessageKind
from automation_retry.application.ports import (
    Authenticator,
    Directory,
    ExecutionQueries,
    ExecutionRepository,
    KeptAnswers,
    NewUnitOfWork,
    Outbox,
    Readiness,
    Reservation,
    Storage,
    User,
)
from automation_retry.domain import Execution, Permission
from tests.support.messages import Sent


class Neighbours(Protocol):
    """What AlgaPSA and operators do in the same storage without our ports."""

    async def overwrite(self, execution: Execution) -> None:
        """An operator sets every value of a stored execution."""
        ...

    async def delete(self, execution: Execution) -> None:
        """An operator deletes a stored execution."""
        ...

    async def handed_over(self, kind: MessageKind) -> Sequence[Sent]:
        """The messages of a kind that commits handed to a broker in the same database."""
        ...

    async def dead_letters(self, tenant: UUID) -> Sequence[tuple[Sent, str]]:
        """The tenant's dead letters with their reasons, oldest first."""
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

    async def outlive(self, reservation: Reservation) -> None:
        """As if its holder had had it for longer than `HELD_FOR`."""
        ...

    async def finish_writing(self) -> None:
        """Waits for what is written beside the requests, such as `last_used_at`."""
        ...


@frozen(kw_only=True, repr=False)
class StorageUnderTest:
    """One storage behind its ports; each test uses tenants of its own."""

    storage: Storage
    neighbours: Neighbours

    @property
    def executions(self) -> ExecutionRepository:
        return self.storage.executions

    @property
    def queries(self) -> ExecutionQueries:
        return self.storage.queries

    @property
    def new_unit_of_work(self) -> NewUnitOfWork:
        return self.storage.new_unit_of_work

    @property
    def kept_answers(self) -> KeptAnswers:
        return self.storage.kept_answers

    @property
    def outbox(self) -> Outbox:
        return self.storage.outbox

    @property
    def authenticator(self) -> Authenticator:
        return self.storage.authenticator

    @property
    def directory(self) -> Directory:
        return self.storage.directory

    @property
    def readiness(self) -> Readiness:
        return self.storage.readiness

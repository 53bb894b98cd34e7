from attrs import frozen

from automation_retry.adapters.postgres.authenticator import PostgresAuthenticator
from automation_retry.adapters.postgres.database import Database
from automation_retry.application.ports import Lifecycle


@frozen
class PostgresLifecycle(Lifecycle):
    """The pool, and the writes that the authenticator does beside requests."""

    database: Database
    authenticator: PostgresAuthenticator

    async def open(self) -> None:
        await self.database.open()

    async def close(self) -> None:
        await self.authenticator.settle()
        await self.database.close()

from collections.abc import Sequence

from automation_retry.application.ports import MigrationScript, Schema, Tell


class NoTables(Schema):
    """The schema of what keeps nothing in tables."""

    async def migrate(self) -> Sequence[str]:
        return ()

    async def build_indexes(self, tell: Tell) -> Sequence[str]:  # noqa: ARG002
        return ()

    async def script(self) -> MigrationScript:
        return MigrationScript()

    async def missing(self) -> Sequence[str]:
        return ()

    async def problems(self, *, delivers: bool) -> Sequence[str]:  # noqa: ARG002
        return ()

    async def warnings(self, *, delivers: bool) -> Sequence[str]:  # noqa: ARG002
        return ()

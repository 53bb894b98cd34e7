import psycopg_pool

from automation_retry.adapters.postgres.connection import Connection

_PING_WITHIN_S = 0.5


class Pool(psycopg_pool.AsyncConnectionPool[Connection]):
    """Checks its connections by a statement that must be answered at once."""

    @staticmethod
    async def check_connection(conn: Connection) -> None:
        """Raises an error when the server does not answer at once."""
        conn.answer_within = _PING_WITHIN_S
        await conn.execute("")

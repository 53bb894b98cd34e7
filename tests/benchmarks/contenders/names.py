"""Names of the contenders, as in tables and in the chart."""

from typing import Final

SERVICE: Final = "automation-retry"
SERVICE_RELAYING: Final = "automation-retry, relaying"
FLAT: Final = "flat Starlette + psycopg"
FASTAPI: Final = "FastAPI + SQLAlchemy"
STATEMENTS: Final = "pgbench: its statements"
TRANSACTION: Final = "pgbench: BEGIN … COMMIT"
ON_POSTGRESQL: Final = "use case on PostgreSQL"
IN_MEMORY: Final = "use case in memory"
DOMAIN: Final = "domain call"

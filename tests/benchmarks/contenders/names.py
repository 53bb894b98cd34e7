"""Names of the contenders, as in tables and in the chart."""

from typing import Final

SERVICE: Final = "automation-retry"
"""As shipped: one process, default settings, delivering to Procrastinate."""
SERVICE_WITHOUT_DELIVERY: Final = "automation-retry, without delivery"
SERVICE_IN_WORKERS: Final = "automation-retry, 4 workers"
FLAT: Final = "flat Starlette + psycopg"
FLAT_DELIVERING: Final = "flat, delivering"
FASTAPI: Final = "FastAPI + SQLAlchemy"
STATEMENTS: Final = "pgbench: its statements"
TRANSACTION: Final = "pgbench: BEGIN … COMMIT"
ON_POSTGRESQL: Final = "use case on PostgreSQL"
IN_MEMORY: Final = "use case in memory"
DOMAIN: Final = "domain call"

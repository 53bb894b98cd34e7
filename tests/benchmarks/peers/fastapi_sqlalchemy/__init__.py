"""The retry as most Python teams would write it: FastAPI, SQLAlchemy's ORM on asyncpg, an outbox.

Dependencies for session and caller, `SELECT … FOR UPDATE`, objects that are changed and flushed, a
response model, uvicorn's own access log. The same tables, the same rows afterwards.
"""

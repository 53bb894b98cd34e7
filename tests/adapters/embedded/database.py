from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def keep(url: str, text: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("INSERT INTO kept VALUES (%s)", [text])


def socket_dir(url: str) -> Path:
    return Path(str(conninfo_to_dict(url)["host"]))

"""URLs of PostgreSQL are checked before anything connects."""

import pytest

from automation_retry.adapters.postgres.url import check_url

SECRET = "hunter2"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql:///db?host=/var/run/postgresql",
        "postgresql://%2Fvar%2Frun%2Fpostgresql/db",
        "postgresql://ada:p%40ss%2Fword@[::1]:5432/db",
        "postgresql://ada:pässwört@db/db",
        "postgresql://a,b:5433/db?target_session_attrs=read-write",
        "postgresql://a:1,b:2/db",
        "postgresql://db/name%40domain?user=ada@example.com",
        "postgresql://db/db?gssencmode=require",
        "postgres://db/db?options=-csearch_path%3Dours&connect_timeout=3&sslmode=verify-full",
    ],
)
def test_what_libpq_takes_is_taken(url: str) -> None:
    """Nothing is refused that would work."""
    check_url(url)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        (f"postgresql://ada:{SECRET}%@db/db", "cannot be parsed"),
        (f"postgresql://ada:{SECRET}@[::1/db", "cannot be parsed"),
        (f"postgresql://ada:{SECRET}@x@db/db", "an @ in the host"),
        (f"postgresql://ada:{SECRET}@@db/db", "an @ in the host"),
        (f"postgresql://ada:{SECRET}%ff@db/db", "percent-encoded bytes that are not UTF-8"),
        (f"postgresql://ada:{SECRET}@db/db?options=-c x=1", "spaces or control characters"),
        (f"postgresql://ada:{SECRET}@db/db?options=-cx=1", "write it as %3D"),
        (f"postgresql://ada:{SECRET}@db/db?gssencmode=x", "a gssencmode that is not"),
        (f"postgresql://ada:1/{SECRET}@db/db", "an @ in the host or in the database"),
        (f"postgresql://ada:{SECRET}/x", "a port that is not a number"),
        (f"postgresql://db?{SECRET}=x", "a parameter after ? that libpq does not know"),
        (f"postgresql://ada:{SECRET} x@db/db", "spaces or control characters"),
        (f"postgresql://ada:{SECRET}\x1b@db/db", "spaces or control characters"),
        (f"postgresql://ada:{SECRET}@db:0/db", "a port that is not a number from 1 to 65535"),
        (f"postgresql://ada:{SECRET}@a,b,c/db?port=1,2", "2 ports for 3 hosts"),
        (f"postgresql://ada:{SECRET}@db/db?sslmode=no", 'invalid sslmode value: "no"'),
        (f"postgresql://ada:{SECRET}@db/db?service=x", 'definition of service "x" not found'),
        (f"postgresql://ada:{SECRET}@db/db?connect_timeout=x", "connect_timeout that is not a"),
    ],
)
def test_what_libpq_refuses_is_named_without_the_password(url: str, problem: str) -> None:
    """The messages of libpq itself repeat what they could not parse."""
    with pytest.raises(ValueError, match=r"must|has|contains|cannot") as error:
        check_url(url)

    assert problem in str(error.value)
    assert SECRET not in str(error.value)

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import click

from automation_retry.application.ports import Directory, User
from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ
from automation_retry.entrypoints.cli.storage import durable_settings, with_storage
from automation_retry.entrypoints.clock import new_id

T = TypeVar("T")

_PERMISSIONS = {"execute": AUTOMATION_EXECUTE, "read": AUTOMATION_READ}


def _with_directory(work: Callable[[Directory], Awaitable[T]]) -> T:
    return with_storage(durable_settings(), lambda storage: work(storage.directory))


@click.group()
def user() -> None:
    """Users of a database without AlgaPSA, which manages its own."""


@user.command("create")
@click.argument("username")
@click.option("--tenant", type=click.UUID, help="Default: a new tenant.")
@click.option("--company", default="Company", show_default=True, help="Name of a new tenant.")
@click.option("--email", default="", help="Default: the user name at localhost.")
@click.option(
    "--may",
    "may",
    multiple=True,
    type=click.Choice(sorted(_PERMISSIONS)),
    default=sorted(_PERMISSIONS),
    show_default=True,
    help="Permission on automation; repeat for several.",
)
def create_user(
    username: str, tenant: UUID | None, company: str, email: str, may: Sequence[str]
) -> None:
    """Create a user, with tenant, role and grants where they are missing."""
    created = _with_directory(
        lambda directory: directory.ensure_user(
            tenant=tenant or new_id(),
            company_name=company,
            username=username,
            email=email or f"{username}@localhost",
            permissions=frozenset(_PERMISSIONS[name] for name in may),
        )
    )
    click.echo(f"tenant  {created.tenant}\nuser    {created.user_id}  {created.username}")


@click.group("api-key")
def api_key() -> None:
    """API keys; the plain key is shown once, when it is created."""


@api_key.command("create")
@click.option("--user", "username", required=True, help="Name of the user that the key acts for.")
@click.option("--tenant", type=click.UUID, help="Needed where several tenants have such a user.")
@click.option("--description")
@click.option("--expires-at", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"]))
@click.option("--usage-limit", type=click.IntRange(1), help="How often the key may be used.")
def create_api_key(
    username: str,
    tenant: UUID | None,
    description: str | None,
    expires_at: datetime | None,
    usage_limit: int | None,
) -> None:
    """Create a key and print it; only its digest is stored."""

    async def create(directory: Directory) -> str:
        return await directory.create_api_key(
            user=_only(await directory.find_user(username, tenant), username),
            description=description,
            expires_at=expires_at.astimezone() if expires_at else None,
            usage_limit=usage_limit,
        )

    click.echo(_with_directory(create))


def _only(users: Sequence[User], username: str) -> User:
    match users:
        case [found]:
            return found
        case []:
            raise click.ClickException(
                f"There is no user {username!r}; "
                f"`automation-retry user create {username}` creates one."
            )
    tenants = ", ".join(str(found.tenant) for found in users)
    raise click.ClickException(f"Several users are named {username!r}; say --tenant: {tenants}.")


@api_key.command("list")
@click.option("--tenant", type=click.UUID, help="Default: all tenants.")
def list_api_keys(tenant: UUID | None) -> None:
    """List the keys, oldest first, without the keys themselves."""
    for key in _with_directory(lambda directory: directory.api_keys(tenant)):
        uses = f"{key.usage_count}/{key.usage_limit}" if key.usage_limit else "unlimited"
        click.echo(
            "  ".join(
                [
                    str(key.api_key_id),
                    "active " if key.active else "revoked",
                    f"tenant {key.tenant}",
                    f"user {key.username}",
                    f"uses {uses}",
                    f"expires {key.expires_at.isoformat() if key.expires_at else 'never'}",
                    f"last used {key.last_used_at.isoformat() if key.last_used_at else 'never'}",
                    key.description or "",
                ]
            ).rstrip()
        )


@api_key.command("revoke")
@click.argument("api_key_id", type=click.UUID)
def revoke_api_key(api_key_id: UUID) -> None:
    """Make a key invalid from now on."""
    if not _with_directory(lambda directory: directory.revoke_api_key(api_key_id)):
        raise click.ClickException(f"There is no API key {api_key_id}.")
    click.echo(f"revoked {api_key_id}")

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import click

from automation_retry.application.ports import ApiKey, Directory, User
from automation_retry.domain import utc_text
from automation_retry.entrypoints.cli.output import (
    as_text,
    json_option,
    print_completely,
    print_json,
    print_line,
    print_table,
)
from automation_retry.entrypoints.cli.parameters import FUTURE_TIME, MOST_USES, text
from automation_retry.entrypoints.cli.users import only_user, with_directory


@click.group("api-key")
def api_key() -> None:
    """API keys; the plain key is shown once, when it is created."""


@api_key.command("create")
@click.option(
    "--user", "username", required=True, type=text, help="Name of the user that the key acts for."
)
@click.option("--tenant", type=click.UUID, help="Needed where several tenants have such a user.")
@click.option("--description", type=text)
@click.option("--expires-at", type=FUTURE_TIME)
@click.option(
    "--usage-limit", type=click.IntRange(1, MOST_USES), help="How often the key may be used."
)
@json_option
def create_api_key(  # noqa: PLR0913 - the options
    username: str,
    tenant: UUID | None,
    description: str | None,
    expires_at: datetime | None,
    usage_limit: int | None,
    *,
    as_json: bool,
) -> None:
    """Create a key and print it; only its digest is stored."""
    if sys.stdout is None:
        raise click.ClickException("There is no standard output to which the key can be written.")

    async def create(directory: Directory) -> None:
        user = await only_user(directory, username, tenant)
        key = await directory.create_api_key(
            user=user, description=description, expires_at=expires_at, usage_limit=usage_limit
        )
        try:
            _print_key(key, user, as_json=as_json)
        except BaseException:  # a signal as well
            await directory.remove_api_key(user, key)
            raise

    with_directory(create)


def _print_key(key: str, user: User, *, as_json: bool) -> None:
    if as_json:
        print_completely(as_text({"api_key": key, "tenant": user.tenant, "user_id": user.user_id}))
    else:
        print_completely(key)


@api_key.command("list")
@click.option("--tenant", type=click.UUID, help="Default: all tenants.")
@json_option
def list_api_keys(tenant: UUID | None, *, as_json: bool) -> None:
    """List the keys, oldest first, without the keys themselves, and whether they are valid."""
    keys = with_directory(lambda directory: directory.api_keys(tenant))
    if as_json:
        print_json([_json(key) for key in keys])
    else:
        print_table([_row(key) for key in keys])


def _json(key: ApiKey) -> dict[str, Any]:
    return {
        "api_key_id": key.api_key_id,
        "status": key.status.value,
        "tenant": key.tenant,
        "user_id": key.user_id,
        "username": key.username,
        "description": key.description,
        "created_at": key.created_at,
        "last_used_at": key.last_used_at,
        "expires_at": key.expires_at,
        "usage_count": key.usage_count,
        "usage_limit": key.usage_limit,
    }


def _row(key: ApiKey) -> Mapping[str, str]:
    return {
        "API KEY": str(key.api_key_id),
        "STATUS": key.status.value,
        "TENANT": str(key.tenant),
        "USER": key.username,
        "USES": f"{key.usage_count}/{key.usage_limit}" if key.usage_limit else "unlimited",
        "EXPIRES": utc_text(key.expires_at) if key.expires_at else "never",
        "LAST USED": utc_text(key.last_used_at) if key.last_used_at else "never",
        "DESCRIPTION": key.description or "",
    }


@api_key.command("revoke")
@click.argument("api_key_id", type=click.UUID)
@json_option
def revoke_api_key(api_key_id: UUID, *, as_json: bool) -> None:
    """Make a key invalid from now on."""
    if not with_directory(lambda directory: directory.revoke_api_key(api_key_id)):
        raise click.ClickException(
            f"There is no API key {api_key_id}; `automation-retry api-key list` lists the ids."
        )
    if as_json:
        print_json({"api_key_id": api_key_id, "status": "revoked"})
    else:
        print_line(f"revoked {api_key_id}")

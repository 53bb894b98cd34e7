from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, TypeVar
from uuid import UUID

import click

from automation_retry.application import UserExists
from automation_retry.application.ports import Directory, User, UserAccount
from automation_retry.domain import AUTOMATION_EXECUTE, AUTOMATION_READ, Permission
from automation_retry.entrypoints.cli.output import (
    json_option,
    print_json,
    print_line,
    print_table,
)
from automation_retry.entrypoints.cli.parameters import text
from automation_retry.entrypoints.cli.storage import durable_settings, with_storage
from automation_retry.entrypoints.clock import new_id

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_PERMISSIONS = {"execute": AUTOMATION_EXECUTE, "read": AUTOMATION_READ}
_TENANT_OF_NAME = "Needed where several tenants have such a user."


def with_directory(work: Callable[[Directory], Awaitable[T]]) -> T:
    """What `work` returns for the directory that the settings choose."""
    return with_storage(durable_settings(), lambda storage: work(storage.directory))


async def only_user(directory: Directory, username: str, tenant: UUID | None) -> User:
    """The one user of that name.

    Raises:
        ClickException: there is none, or several tenants have one; the message says what to do.
    """
    match await directory.find_user(username, tenant):
        case [found]:
            return found
        case []:
            where = f" in tenant {tenant}" if tenant else ""
            raise click.ClickException(
                f"There is no user {username!r}{where}; `automation-retry user create` creates one."
            )
        case several:
            raise click.ClickException(
                f"Several users are named {username!r}; say --tenant: "
                f"{', '.join(str(found.tenant) for found in several)}."
            )


def _may_option(command: F) -> F:
    return click.option(
        "--may",
        "may",
        multiple=True,
        type=click.Choice(sorted(_PERMISSIONS)),
        default=sorted(_PERMISSIONS),
        show_default=True,
        help="Permission on automation; repeat for several.",
    )(command)


def _permissions(may: Collection[str]) -> frozenset[Permission]:
    return frozenset(_PERMISSIONS[name] for name in may)


@click.group()
def user() -> None:
    """Users of a database without AlgaPSA, which manages its own."""


@user.command("create")
@click.argument("username", type=text)
@click.option("--tenant", type=click.UUID, help="An existing one, or the id of a new one.")
@click.option("--new-tenant", is_flag=True, help="Even if other tenants have such a user.")
@click.option(
    "--company", default="Company", show_default=True, type=text, help="Name of a new tenant."
)
@click.option("--email", type=text, help="Default: the user name at localhost.")
@_may_option
@json_option
def create_user(  # noqa: PLR0913 - the options
    username: str,
    tenant: UUID | None,
    company: str,
    email: str | None,
    may: Sequence[str],
    *,
    new_tenant: bool,
    as_json: bool,
) -> None:
    """Create a user, with tenant, role and grants where they are missing.

    Without --tenant the user gets a tenant of its own, unless the name exists already.
    """
    if tenant and new_tenant:
        raise click.UsageError("--tenant and --new-tenant exclude each other.")

    given: Any = {
        "company_name": company,
        "username": username,
        "email": email or f"{username}@localhost",
        "permissions": _permissions(may),
    }

    async def create(directory: Directory) -> User:
        if tenant or new_tenant:
            return await directory.ensure_user(tenant=tenant or new_id(), **given)
        return await directory.create_user(**given)

    try:
        created = with_directory(create)
    except UserExists as error:
        raise click.ClickException(
            f"A user {username!r} exists already in tenant {', '.join(map(str, error.tenants))}; "
            "say --tenant to choose one, or --new-tenant to create another user of that name."
        ) from error
    if as_json:
        print_json(_user_json(created))
    else:
        print_line("tenant", str(created.tenant))
        print_line("user  ", str(created.user_id), created.username)


@user.command("list")
@click.option("--tenant", type=click.UUID, help="Default: all tenants.")
@json_option
def list_users(tenant: UUID | None, *, as_json: bool) -> None:
    """List the users, whether they are active, and what they may do on automation."""
    accounts = with_directory(lambda directory: directory.users(tenant))
    if as_json:
        print_json([_account_json(one) for one in accounts])
        return
    print_table(
        [
            {
                "TENANT": str(one.user.tenant),
                "COMPANY": one.company_name,
                "USER": str(one.user.user_id),
                "NAME": one.user.username,
                "STATUS": "active" if one.active else "inactive",
                "MAY": ", ".join(_may(one)) or "nothing",
            }
            for one in accounts
        ]
    )


def _may(account: UserAccount) -> Sequence[str]:
    return [name for name, one in sorted(_PERMISSIONS.items()) if one in account.permissions]


def _user_json(one: User) -> dict[str, Any]:
    return {"tenant": one.tenant, "user_id": one.user_id, "username": one.username}


def _account_json(one: UserAccount) -> dict[str, Any]:
    return {
        **_user_json(one.user),
        "company_name": one.company_name,
        "active": one.active,
        "may": _may(one),
    }


@user.command("grant")
@click.argument("username", type=text)
@click.option("--tenant", type=click.UUID, help=_TENANT_OF_NAME)
@_may_option
@json_option
def grant(username: str, tenant: UUID | None, may: Sequence[str], *, as_json: bool) -> None:
    """Add permissions on automation to those that a user has."""

    async def work(directory: Directory) -> User:
        found = await only_user(directory, username, tenant)
        await directory.grant(found, _permissions(may))
        return found

    found = with_directory(work)
    if as_json:
        print_json({**_user_json(found), "granted": sorted(set(may))})
    else:
        print_line(f"granted {', '.join(sorted(set(may)))} to {found.username}")


def _set_active(username: str, tenant: UUID | None, *, active: bool, as_json: bool) -> None:
    async def work(directory: Directory) -> User:
        found = await only_user(directory, username, tenant)
        await directory.set_user_active(found, active=active)
        return found

    found = with_directory(work)
    if as_json:
        print_json({**_user_json(found), "active": active})
    else:
        print_line(f"{'activated' if active else 'deactivated'} {found.username}")


@user.command("deactivate")
@click.argument("username", type=text)
@click.option("--tenant", type=click.UUID, help=_TENANT_OF_NAME)
@json_option
def deactivate(username: str, tenant: UUID | None, *, as_json: bool) -> None:
    """Make all keys of a user invalid from now on."""
    _set_active(username, tenant, active=False, as_json=as_json)


@user.command("activate")
@click.argument("username", type=text)
@click.option("--tenant", type=click.UUID, help=_TENANT_OF_NAME)
@json_option
def activate(username: str, tenant: UUID | None, *, as_json: bool) -> None:
    """Undo `deactivate`."""
    _set_active(username, tenant, active=True, as_json=as_json)

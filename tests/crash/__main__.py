"""`python -m tests.crash`: kills everything at random moments, and audits what was promised."""

import asyncio
import logging
import secrets
import signal
import sys

import click

from tests.crash.brokers import BROKERS
from tests.crash.campaign import Campaign, prepared_postgres
from tests.crash.mutants import MUTANTS


@click.command()
@click.option(
    "--seconds",
    default=60.0,
    show_default=True,
    help="About how long a round on all the engines takes.",
)
@click.option("--rounds", default=1, show_default=True, type=click.IntRange(1))
@click.option(
    "--engine",
    "broker",
    default="all",
    show_default=True,
    type=click.Choice([*BROKERS, "all"]),
)
@click.option(
    "--mutant", type=click.Choice([*MUTANTS]), help="Plant a bug, and fail because of it."
)
@click.option("--prove", is_flag=True, help="Plant every bug, and fail unless each is seen.")
@click.option("--seed", type=int, help="That of the first round; the next count up from it.")
def main(
    *, seconds: float, rounds: int, broker: str, mutant: str | None, prove: bool, seed: int | None
) -> None:
    """Kill API, relays, PostgreSQL and broker; audit; exit 1 on any violation."""
    # The consumers of this process log at length that the server is gone, which is expected here.
    logging.disable(logging.CRITICAL)
    brokers = [*BROKERS] if broker == "all" else [broker]
    first_seed = secrets.randbelow(1_000_000) if seed is None else seed
    click.echo(f"seed {first_seed}")

    async def run() -> bool:
        this = asyncio.current_task()
        assert this is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            # A cancellation ends everything that was started.
            asyncio.get_running_loop().add_signal_handler(number, this.cancel)
        async with prepared_postgres() as postgres:
            campaign = Campaign(postgres=postgres, brokers=brokers, seed=first_seed, say=click.echo)
            if prove:
                return await campaign.prove(rounds=rounds)
            if mutant:
                return await campaign.mutant(mutant, rounds=rounds)
            return await campaign.storm(rounds=rounds, seconds=seconds)

    try:
        sys.exit(not asyncio.run(run()))
    except asyncio.CancelledError:
        sys.exit("interrupted")


if __name__ == "__main__":
    main()

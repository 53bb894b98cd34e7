"""The composition root: which adapter stands behind which port. Nothing is opened here."""

from collections.abc import Sequence
from functools import partial
from time import monotonic_ns

from dependency_injector import containers, providers

from automation_retry.adapters.granted_permissions import GrantedPermissions
from automation_retry.adapters.memory import (
    MemoryAuthenticator,
    MemoryBus,
    MemoryDirectory,
    MemoryExecutionRepository,
    MemoryIdempotencyKeys,
    MemoryOutbox,
    MemoryQueue,
    MemoryReadiness,
    MemoryStore,
    MemoryUnitOfWork,
)
from automation_retry.adapters.postgres import (
    Commits,
    Database,
    PostgresAuthenticator,
    PostgresDirectory,
    PostgresExecutions,
    PostgresIdempotencyKeys,
    PostgresOutbox,
    PostgresReadiness,
    PostgresUnitOfWork,
    Schema,
)
from automation_retry.adapters.procrastinate import (
    ProcrastinateBus,
    ProcrastinateQueue,
    ProcrastinateSchema,
)
from automation_retry.application import (
    ExpireIdempotencyKeys,
    GetExecution,
    ListFailedAttempts,
    RelayOutbox,
    RetryExecution,
)
from automation_retry.entrypoints import brokers
from automation_retry.entrypoints.clock import new_id, utc_now
from automation_retry.entrypoints.http import Api, RateLimiter
from automation_retry.entrypoints.relay import Relay, WakeUp
from automation_retry.entrypoints.settings import Engine, Settings


def _schemas(
    settings: Settings, ours: Schema, procrastinate: ProcrastinateSchema
) -> Sequence[Schema | ProcrastinateSchema]:
    return [ours, procrastinate] if Engine.PROCRASTINATE in settings.engines else [ours]


class Container(containers.DeclarativeContainer):
    """Everything the service is made of, for one set of settings."""

    settings = providers.Dependency(instance_of=Settings)
    clock = providers.Object(utc_now)
    new_id = providers.Object(new_id)
    wake_up = providers.Singleton(WakeUp)

    _storage = settings.provided.database_url.kind.value

    # Pools are made closed, in Singletons, and opened by `opened`: an async Resource would turn
    # everything that depends on it into futures.
    database = providers.Singleton(
        Database,
        settings.provided.database_url.text,
        min_size=settings.provided.pool_min_size,
        max_size=settings.provided.pool_max_size,
        timeout=settings.provided.pool_timeout_s,
    )
    schema = providers.Factory(Schema, database)
    procrastinate_schema = providers.Factory(ProcrastinateSchema, database.provided.connection)
    commits = providers.Singleton(Commits, database)
    memory_store = providers.Singleton(MemoryStore)

    executions = providers.Selector(
        _storage,
        memory=providers.Singleton(MemoryExecutionRepository, memory_store),
        postgresql=providers.Singleton(PostgresExecutions, database),
    )
    # The making of one; what it is made of is looked up only once.
    new_unit_of_work = providers.Selector(
        _storage,
        memory=providers.Singleton(partial, MemoryUnitOfWork, memory_store, on_commit=wake_up),
        postgresql=providers.Singleton(
            partial, PostgresUnitOfWork, database, executions, commits, on_commit=wake_up
        ),
    )
    outbox = providers.Selector(
        _storage,
        memory=providers.Singleton(MemoryOutbox, memory_store),
        postgresql=providers.Singleton(PostgresOutbox, database),
    )
    authenticator = providers.Selector(
        _storage,
        memory=providers.Singleton(MemoryAuthenticator, memory_store, clock),
        postgresql=providers.Singleton(PostgresAuthenticator, database),
    )
    directory = providers.Selector(
        _storage,
        memory=providers.Singleton(MemoryDirectory, memory_store, clock, new_id),
        postgresql=providers.Singleton(PostgresDirectory, database, new_id),
    )
    idempotency_keys = providers.Selector(
        _storage,
        memory=providers.Singleton(MemoryIdempotencyKeys, memory_store.provided.answers),
        postgresql=providers.Singleton(PostgresIdempotencyKeys, database),
    )
    readiness = providers.Selector(
        _storage,
        memory=providers.Singleton(MemoryReadiness),
        postgresql=providers.Singleton(
            PostgresReadiness,
            settings.provided.database_url.text,
            providers.Callable(_schemas, settings, schema, procrastinate_schema),
            outbox,
        ),
    )
    authorizer = providers.Singleton(GrantedPermissions)

    memory_queue = providers.Singleton(MemoryQueue)
    memory_bus = providers.Singleton(MemoryBus)
    redis_connection = providers.Singleton(brokers.redis_connection, settings)
    nats_connection = providers.Singleton(brokers.nats_connection, settings)
    queue = providers.Selector(
        settings.provided.job_engine.value,
        memory=memory_queue,
        redis=providers.Singleton(brokers.redis_queue, redis_connection),
        nats=providers.Singleton(brokers.nats_queue, nats_connection),
        procrastinate=providers.Singleton(ProcrastinateQueue, database.provided.joined),
    )
    bus = providers.Selector(
        settings.provided.event_engine.value,
        memory=memory_bus,
        redis=providers.Singleton(brokers.redis_bus, redis_connection),
        nats=providers.Singleton(brokers.nats_bus, nats_connection),
        procrastinate=providers.Singleton(ProcrastinateBus, database.provided.joined),
    )

    retry_execution = providers.Singleton(
        RetryExecution, authorizer, new_unit_of_work, clock, new_id
    )
    get_execution = providers.Singleton(GetExecution, authorizer, executions)
    list_failed_attempts = providers.Singleton(ListFailedAttempts, authorizer, executions)
    relay_outbox = providers.Singleton(RelayOutbox, outbox, queue, bus)

    expire_idempotency_keys = providers.Singleton(ExpireIdempotencyKeys, idempotency_keys, clock)

    relay = providers.Factory(
        Relay,
        relay_outbox,
        expire_idempotency_keys,
        wake_up,
        settings.provided.relay_batch,
        settings.provided.relay_poll_s,
    )
    rate_limiter = providers.Singleton(
        RateLimiter,
        enforce=settings.provided.rate_limit_enforce,
        monotonic_ns=providers.Object(monotonic_ns),
        clock=clock,
    )
    api = providers.Factory(
        Api,
        authenticator=authenticator,
        authorizer=authorizer,
        retry_execution=retry_execution,
        get_execution=get_execution,
        list_failed_attempts=list_failed_attempts,
        readiness=readiness,
        new_id=new_id,
        rate_limiter=rate_limiter,
        rule_links=settings.provided.rule_links,
    )

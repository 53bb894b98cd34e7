"""The composition root: which adapter implements which port. Nothing is opened here."""

from collections.abc import Mapping, Sequence
from time import monotonic_ns

from attrs import frozen
from dependency_injector import containers, providers

from automation_retry.adapters.granted_permissions import GrantedPermissions
from automation_retry.adapters.memory import MemoryStore
from automation_retry.adapters.postgres import Database
from automation_retry.application import (
    BulkRetry,
    CheckReadiness,
    DescribeCaller,
    ExpireEvents,
    ExpireIdempotencyKeys,
    GetExecution,
    ListExecutions,
    ListFailedAttempts,
    ListFailureGroups,
    MessageKind,
    RelayOutbox,
    RetryExecution,
)
from automation_retry.application.ports import (
    Broker,
    BrokerBundle,
    Channel,
    Retention,
    Schema,
    Storage,
)
from automation_retry.entrypoints.budget import RequestTime
from automation_retry.entrypoints.clock import new_id, utc_now
from automation_retry.entrypoints.http import Api, RateLimiter
from automation_retry.entrypoints.readiness import LoggedReadiness
from automation_retry.entrypoints.settings import Settings
from automation_retry.entrypoints.stop import Stop
from automation_retry.entrypoints.storages import Parts, new_storage
from automation_retry.entrypoints.worker import HousekeepingLoop, RelayLoop, Supervisor, WakeUp

_IDLE_S = 1.0
_RARELY_S = 5.0
"""For kinds that commits hand over: only what an earlier version left is in the outbox."""


@frozen
class Brokers:
    """The broker of each kind of message; one and the same where one carries both."""

    jobs: BrokerBundle
    events: BrokerBundle

    @property
    def all(self) -> Sequence[BrokerBundle]:
        return [self.jobs] if self.events is self.jobs else [self.jobs, self.events]

    @property
    def by_kind(self) -> Mapping[MessageKind, Broker]:
        return {MessageKind.JOB: self.jobs.broker, MessageKind.EVENT: self.events.broker}

    @property
    def names(self) -> Mapping[MessageKind, str]:
        return {MessageKind.JOB: self.jobs.name, MessageKind.EVENT: self.events.name}

    @property
    def channels(self) -> Mapping[MessageKind, Channel]:
        """Where consumers in other processes find each kind."""
        return {
            kind: bundle.channels[kind]
            for kind, bundle in ((MessageKind.JOB, self.jobs), (MessageKind.EVENT, self.events))
            if kind in bundle.channels
        }

    @property
    def retentions(self) -> Sequence[Retention]:
        return [one.retention for one in self.all if one.retention]


def _new_brokers(settings: Settings, storage: Storage) -> Brokers:
    jobs, events = settings.jobs, settings.events
    if jobs.type is events.type:
        both = jobs.type.new(jobs.variables, storage, frozenset(MessageKind))
        return Brokers(both, both)
    return Brokers(
        jobs.type.new(jobs.variables, storage, frozenset([MessageKind.JOB])),
        events.type.new(events.variables, storage, frozenset([MessageKind.EVENT])),
    )


def _patience_s(request_timeout_s: float) -> float:
    """So that a request which passes over what is locked is answered within its time."""
    return min(1.6, request_timeout_s / 5)


def _schemas(storage: Storage, brokers: Brokers) -> Sequence[Schema]:
    return [storage.schema, *(one.schema for one in brokers.all)]


def _supervisor(
    settings: Settings,
    relay_outbox: RelayOutbox,
    expire_idempotency_keys: ExpireIdempotencyKeys,
    expire_events: ExpireEvents,
    wake_up: WakeUp,
) -> Supervisor:
    relays = [
        RelayLoop(
            kind,
            relay_outbox,
            wake_up,
            batch=settings.relay_batch,
            poll_s=settings.relay_poll_s,
            idle_poll_s=_RARELY_S if kind in settings.hand_over else _IDLE_S,
        )
        for kind in MessageKind
    ]
    housekeeping = HousekeepingLoop(
        {"idempotency keys expired": expire_idempotency_keys, "events expired": expire_events}
    )
    return Supervisor([*relays, housekeeping], wake_up)


class Container(containers.DeclarativeContainer):
    """All parts of the service for one set of settings.

    Pools are Singletons that are built closed and opened by `opened`: an async Resource would turn
    everything that depends on it into futures.
    """

    settings = providers.Dependency(instance_of=Settings)
    fail_fast = providers.Object(False)  # noqa: FBT003 - a provider of the value
    """Whether opening the storage fails when it cannot be reached; commands do not wait for it."""
    clock = providers.Object(utc_now)
    new_id = providers.Object(new_id)
    wake_up = providers.Singleton(WakeUp)
    stop = providers.Singleton(Stop, settings.provided.shutdown_grace_s)

    database = providers.Singleton(
        Database,
        settings.provided.database_url.text,
        min_size=settings.provided.pool_min_size,
        max_size=settings.provided.pool_max_size,
        timeout=settings.provided.pool_timeout_s,
        answer_within=settings.provided.request_timeout_s,
        own_sessions=settings.provided.own_sessions,
        fail_fast=fail_fast,
    )
    memory_store = providers.Singleton(MemoryStore)
    storage = providers.Singleton(
        new_storage,
        providers.Factory(
            Parts,
            settings=settings,
            clock=clock,
            new_id=new_id,
            on_commit=wake_up,
            database=database.provider,
            memory_store=memory_store.provider,
        ),
    )
    brokers = providers.Singleton(_new_brokers, settings, storage)
    schemas = providers.Callable(_schemas, storage, brokers)
    authorizer = providers.Singleton(GrantedPermissions)

    request_time = providers.Singleton(RequestTime, settings.provided.request_timeout_s)
    retry_execution = providers.Singleton(
        RetryExecution, authorizer, storage.provided.new_unit_of_work, clock, new_id
    )
    bulk_retry = providers.Singleton(
        BulkRetry,
        authorizer,
        storage.provided.new_unit_of_work,
        storage.provided.kept_answers,
        clock,
        new_id,
        patience_s=providers.Callable(_patience_s, settings.provided.request_timeout_s),
    )
    get_execution = providers.Singleton(GetExecution, authorizer, storage.provided.executions)
    list_failed_attempts = providers.Singleton(
        ListFailedAttempts, authorizer, storage.provided.executions
    )
    list_executions = providers.Singleton(ListExecutions, authorizer, storage.provided.queries)
    list_failure_groups = providers.Singleton(
        ListFailureGroups, authorizer, storage.provided.queries, clock
    )
    describe_caller = providers.Singleton(DescribeCaller, storage.provided.directory)
    relay_outbox = providers.Singleton(
        RelayOutbox, storage.provided.outbox, brokers.provided.by_kind
    )
    expire_idempotency_keys = providers.Singleton(
        ExpireIdempotencyKeys, storage.provided.idempotency_keys, clock
    )
    expire_events = providers.Singleton(ExpireEvents, brokers.provided.retentions)

    supervisor = providers.Singleton(
        _supervisor, settings, relay_outbox, expire_idempotency_keys, expire_events, wake_up
    )
    check_readiness = providers.Singleton(
        CheckReadiness,
        storage=storage.provided.readiness,
        schemas=schemas,
        outbox=storage.provided.outbox,
        worker=supervisor,
        delivers=settings.provided.relay,
        brokers=brokers.provided.names,
        warn_after_s=settings.provided.delivery_warning_s,
    )
    readiness = providers.Singleton(LoggedReadiness, check_readiness)
    rate_limiter = providers.Singleton(
        RateLimiter,
        enforce=settings.provided.rate_limit_enforce,
        monotonic_ns=providers.Object(monotonic_ns),
        clock=clock,
    )
    api = providers.Factory(
        Api,
        authenticator=storage.provided.authenticator,
        authorizer=authorizer,
        retry_execution=retry_execution,
        bulk_retry=bulk_retry,
        get_execution=get_execution,
        list_executions=list_executions,
        list_failed_attempts=list_failed_attempts,
        list_failure_groups=list_failure_groups,
        describe_caller=describe_caller,
        readiness=readiness,
        rate_limiter=rate_limiter,
        new_id=new_id,
        channels=brokers.provided.channels,
        rule_links=settings.provided.rule_links,
        root_path=settings.provided.root_path,
        request_time=request_time,
    )

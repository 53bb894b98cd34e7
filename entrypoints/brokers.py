"""Connections to the brokers whose drivers are extras: imported only where they are chosen."""

from typing import TYPE_CHECKING

from automation_retry.entrypoints.settings import Settings

if TYPE_CHECKING:
    from automation_retry.adapters.nats import NatsBus, NatsConnection, NatsQueue
    from automation_retry.adapters.redis import RedisBus, RedisConnection, RedisQueue


def redis_connection(settings: Settings) -> "RedisConnection":
    from automation_retry.adapters.redis import RedisConnection, RedisSettings

    return RedisConnection(
        RedisSettings(
            url=settings.redis_url,
            prefix=settings.redis_prefix,
            stream_prefix=settings.redis_stream_prefix,
            stream_max_length=settings.redis_stream_max_length,
        )
    )


def redis_queue(connection: "RedisConnection") -> "RedisQueue":
    from automation_retry.adapters.redis import RedisQueue

    return RedisQueue(connection)


def redis_bus(connection: "RedisConnection") -> "RedisBus":
    from automation_retry.adapters.redis import RedisBus

    return RedisBus(connection)


def nats_connection(settings: Settings) -> "NatsConnection":
    from automation_retry.adapters.nats import NatsConnection, NatsSettings

    return NatsConnection(
        NatsSettings(
            servers=settings.nats_url,
            subject_prefix=settings.nats_subject_prefix,
            replicas=settings.nats_replicas,
            duplicate_window_s=settings.nats_duplicate_window_s,
        )
    )


def nats_queue(connection: "NatsConnection") -> "NatsQueue":
    from automation_retry.adapters.nats import NatsQueue

    return NatsQueue(connection)


def nats_bus(connection: "NatsConnection") -> "NatsBus":
    from automation_retry.adapters.nats import NatsBus

    return NatsBus(connection)

"""Which types of columns this service works with, and what the tables of others have."""

from collections.abc import Mapping, Sequence
from typing import Final

_UUID: Final = ("uuid",)
_TEXT: Final = ("text", "varchar")
_WHOLE: Final = ("int2", "int4", "int8")
_TIME: Final = ("timestamptz", "timestamp")
_BOOLEAN: Final = ("bool",)

ENUM: Final = "enum"
"""Stands for all enumerated types."""

SUPPORTED: Final[Mapping[str, Mapping[str, Sequence[str]]]] = {
    "automation_executions": {
        "tenant": _UUID,
        "execution_id": _UUID,
        "automation_rule_id": _UUID,
        "status": (*_TEXT, "bpchar", ENUM),
        "started_at": _TIME,
        "completed_at": _TIME,
        "duration_ms": ("float8", "float4", "numeric", *_WHOLE),
        "actions_total": _WHOLE,
        "actions_successful": _WHOLE,
        "actions_failed": _WHOLE,
        "error_message": _TEXT,
        "error_stack": _TEXT,
        "failed_action_index": _WHOLE,
        "trigger_data": ("jsonb",),
        "execution_context": ("jsonb",),
        "logs": ("jsonb",),
        "retry_count": _WHOLE,
    },
    "tenants": {"tenant": _UUID},
    "users": {"tenant": _UUID, "user_id": _UUID, "is_inactive": _BOOLEAN},
    "roles": {"tenant": _UUID, "role_id": _UUID},
    "user_roles": {"tenant": _UUID, "user_id": _UUID, "role_id": _UUID},
    "permissions": {
        "tenant": _UUID,
        "permission_id": _UUID,
        "resource": _TEXT,
        "action": _TEXT,
    },
    "role_permissions": {"tenant": _UUID, "role_id": _UUID, "permission_id": _UUID},
    "api_keys": {
        "tenant": _UUID,
        "api_key_id": _UUID,
        "api_key": (*_TEXT, "bpchar"),
        "user_id": _UUID,
        "active": _BOOLEAN,
        "expires_at": ("timestamptz",),
        "last_used_at": ("timestamptz",),
        "usage_limit": _WHOLE,
        "usage_count": _WHOLE,
    },
}

# Set by a retry, to NULL or to another value.
SET_NULL: Final = (
    "completed_at",
    "duration_ms",
    "error_message",
    "error_stack",
    "failed_action_index",
)
SET: Final = (
    *SET_NULL,
    "status",
    "started_at",
    "actions_successful",
    "actions_failed",
    "retry_count",
)

# One row for each wanted column of a relation that exists, on which it takes no lock. `type` is the
# one under its domains, and NULL where there is no such column; `lacks` has the needed labels that
# an enumerated type lacks.
COLUMN_TYPES: Final = """
WITH RECURSIVE wanted AS (
    SELECT w.relation, w.name, c.oid, c.relkind::text AS kind, a.atttypid AS type,
           format_type(a.atttypid, a.atttypmod) AS shown,
           a.attgenerated <> '' AS is_generated, a.attnotnull AS not_null,
           EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type = '2')
               AS has_rules,
           EXISTS (
               SELECT FROM pg_attribute o JOIN pg_type d ON d.oid = o.atttypid
               WHERE o.attrelid = c.oid AND NOT o.attisdropped AND d.typnotnull
           ) AS excludes_null
    FROM unnest(%(relations)s::text[], %(columns)s::text[]) AS w (relation, name)
    JOIN pg_class c ON c.oid = to_regclass(w.relation)
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = w.name AND NOT a.attisdropped
), base AS (
    SELECT w.relation, w.name, t.oid, t.typname, t.typtype, t.typbasetype
    FROM wanted w JOIN pg_type t ON t.oid = w.type
    UNION ALL
    SELECT b.relation, b.name, t.oid, t.typname, t.typtype, t.typbasetype
    FROM base b JOIN pg_type t ON t.oid = b.typbasetype
    WHERE b.typtype = 'd'
)
SELECT w.relation, w.name, w.kind, w.has_rules, w.excludes_null, w.is_generated, w.not_null,
       w.shown,
       CASE WHEN b.typtype = 'e' THEN 'enum' ELSE b.typname::text END AS type,
       ARRAY(
           SELECT label FROM unnest(ARRAY['failed', 'pending']) AS label
           WHERE b.typtype = 'e' AND label NOT IN (
               SELECT l.enumlabel::text FROM pg_enum l WHERE l.enumtypid = b.oid
           )
       ) AS lacks
FROM wanted w
LEFT JOIN base b ON b.relation = w.relation AND b.name = w.name AND b.typtype <> 'd'
ORDER BY w.relation, w.name
"""

"""AlgaPSA's identity tables: tenants, users, roles, permissions and API keys."""

from typing import Final

from psycopg.sql import SQL

from automation_retry.adapters.postgres.sql.columns import composed

# The authentication query: at most one row, whose `refusal` is NULL for a valid key. A few index
# lookups; writes nothing, so that it works on a standby, and waits for no row lock.
_AUTHENTICATE: Final = """
WITH found AS (
    SELECT k.tenant, k.api_key_id, k.user_id, k.usage_limit, k.last_used_at,
           CASE
               WHEN k.tenant <> %(tenant)s::uuid THEN 'it belongs to another tenant'
               WHEN k.active IS NOT TRUE THEN 'it is not active'
               WHEN k.expires_at <= now() THEN 'it has expired'
               WHEN coalesce(k.usage_count, 0) >= k.usage_limit THEN 'its usage limit is reached'
               WHEN u.user_id IS NULL THEN 'its user is not in its tenant'
               WHEN u.is_inactive THEN 'its user is inactive'
           END AS refusal
    FROM api_keys k
    LEFT JOIN users u ON u.tenant = k.tenant AND u.user_id = k.user_id
    WHERE k.api_key = %(digest)s{and_owned}
    ORDER BY refusal NULLS FIRST
    LIMIT 1
)
SELECT f.tenant, f.api_key_id, f.user_id, f.refusal, f.usage_limit IS NOT NULL AS has_usage_limit,
       f.usage_limit IS NULL AND current_setting('transaction_read_only') = 'off'
           AND coalesce(f.last_used_at < now() - interval '1 minute', true) AS last_used_at_is_old,
       ARRAY(
           SELECT DISTINCT ARRAY[p.resource, p.action]
           FROM user_roles ur
           JOIN role_permissions rp ON rp.tenant = ur.tenant AND rp.role_id = ur.role_id
           JOIN permissions p ON p.tenant = rp.tenant AND p.permission_id = rp.permission_id
           WHERE ur.tenant = f.tenant AND ur.user_id = f.user_id
       ) AS permissions
FROM found f
"""
AUTHENTICATE: Final = composed(_AUTHENTICATE, and_owned=SQL(""))

# The same for a key of one tenant, so that no row of another one is touched.
AUTHENTICATE_IN_TENANT: Final = composed(
    _AUTHENTICATE, and_owned=SQL(" AND k.tenant = %(owner)s::uuid")
)

# The tenants that have a key of this digest, which normally is one. By an index on all of them.
TENANTS_OF_KEY: Final = "SELECT DISTINCT tenant FROM api_keys WHERE api_key = %(digest)s"

# Counts `uses` of a key with a usage limit, or as many as the limit allows; returns that number. It
# waits for the row lock and reads the current count, so concurrent uses never exceed the limit.
COUNT_USES: Final = """
WITH current AS MATERIALIZED (
    SELECT k.tenant, k.api_key_id,
           least(%(uses)s, k.usage_limit::bigint - coalesce(k.usage_count, 0)) AS counted
    FROM api_keys k
    WHERE k.tenant = %(tenant)s AND k.api_key_id = %(api_key_id)s AND k.active
      AND coalesce(k.usage_count, 0) < k.usage_limit
    FOR NO KEY UPDATE
)
UPDATE api_keys k
SET usage_count = coalesce(k.usage_count, 0) + c.counted, last_used_at = now()
FROM current c
WHERE k.tenant = c.tenant AND k.api_key_id = c.api_key_id
RETURNING c.counted
"""

# Sets `last_used_at`, at most once a minute for each key, whatever the number of processes. Skips a
# locked row.
SET_LAST_USED_AT: Final = """
UPDATE api_keys k SET last_used_at = now()
FROM (
    SELECT tenant, api_key_id FROM api_keys
    WHERE tenant = %(tenant)s AND api_key_id = %(api_key_id)s
      AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
    FOR NO KEY UPDATE SKIP LOCKED
) old
WHERE k.tenant = old.tenant AND k.api_key_id = old.api_key_id
"""

# Held until the transaction ends; a number that no other advisory lock is likely to use.
LOCK_DIRECTORY: Final = "SELECT pg_advisory_xact_lock(4158023871920416321)"

# Keeps a tenant that exists.
ENSURE_TENANT: Final = """
INSERT INTO tenants (tenant, company_name, email) VALUES (%(tenant)s, %(company_name)s, %(email)s)
ON CONFLICT DO NOTHING
"""

# `hashed_password` is the hash of nothing: these users cannot log in.
ADD_USER: Final = """
INSERT INTO users (tenant, user_id, username, hashed_password, email)
VALUES (%(tenant)s, %(user_id)s, %(username)s, '!', %(email)s)
"""

# Names of roles are not unique: callers hold LOCK_DIRECTORY, and have searched with FIND_ROLE.
ADD_ROLE: Final = """
INSERT INTO roles (tenant, role_id, role_name, description)
VALUES (%(tenant)s, %(role_id)s, %(role_name)s, 'Made by automation-retry')
"""

# The roles of a name in one tenant.
FIND_ROLE: Final = (
    "SELECT role_id FROM roles WHERE tenant = %(tenant)s AND role_name = %(role_name)s"
)

# Keeps a role that the user has.
ENSURE_USER_ROLE: Final = """
INSERT INTO user_roles (tenant, user_id, role_id)
VALUES (%(tenant)s, %(user_id)s, %(role_id)s)
ON CONFLICT DO NOTHING
"""

# The permission in one tenant.
FIND_PERMISSION: Final = """
SELECT permission_id FROM permissions
WHERE tenant = %(tenant)s AND resource = %(resource)s AND action = %(action)s
"""

# Permissions are not unique either: see ADD_ROLE.
ADD_PERMISSION: Final = """
INSERT INTO permissions (tenant, permission_id, resource, action)
VALUES (%(tenant)s, %(permission_id)s, %(resource)s, %(action)s)
"""

# Keeps a grant that exists.
GRANT: Final = """
INSERT INTO role_permissions (tenant, role_id, permission_id)
VALUES (%(tenant)s, %(role_id)s, %(permission_id)s)
ON CONFLICT DO NOTHING
"""

# One index lookup.
USERNAME: Final = """
SELECT username FROM users WHERE tenant = %(tenant)s AND user_id = %(user_id)s
"""

# The users of a name, in one tenant or in all; reads the whole table.
FIND_USER: Final = """
SELECT tenant, user_id, username FROM users
WHERE username = %(username)s AND (%(tenant)s::uuid IS NULL OR tenant = %(tenant)s)
ORDER BY tenant
"""

# The users of one tenant or of all, with what their roles grant; reads the whole table.
USERS: Final = """
SELECT u.tenant, u.user_id, u.username, coalesce(t.company_name, '') AS company_name,
       u.is_inactive IS NOT TRUE AS active,
       ARRAY(
           SELECT DISTINCT ARRAY[p.resource, p.action]
           FROM user_roles ur
           JOIN role_permissions rp ON rp.tenant = ur.tenant AND rp.role_id = ur.role_id
           JOIN permissions p ON p.tenant = rp.tenant AND p.permission_id = rp.permission_id
           WHERE ur.tenant = u.tenant AND ur.user_id = u.user_id
       ) AS permissions
FROM users u LEFT JOIN tenants t ON t.tenant = u.tenant
WHERE %(tenant)s::uuid IS NULL OR u.tenant = %(tenant)s
ORDER BY u.tenant, u.username, u.user_id
"""

# By the key of the table.
SET_USER_INACTIVE: Final = """
UPDATE users SET is_inactive = %(is_inactive)s
WHERE tenant = %(tenant)s AND user_id = %(user_id)s
"""

# Keeps a key of this digest that the tenant has.
ADD_API_KEY: Final = """
INSERT INTO api_keys (
    tenant, api_key_id, api_key, user_id, description, active, created_at, updated_at, expires_at,
    usage_limit, usage_count
)
SELECT %(tenant)s, %(api_key_id)s, %(digest)s, %(user_id)s, %(description)s, true, now(), now(),
       %(expires_at)s, %(usage_limit)s, 0
WHERE NOT EXISTS (
    SELECT FROM api_keys WHERE tenant = %(tenant)s AND api_key = %(digest)s
)
"""

# By the index on digests.
REMOVE_API_KEY: Final = "DELETE FROM api_keys WHERE tenant = %(tenant)s AND api_key = %(digest)s"

# The keys of one tenant or of all, oldest first; reads the whole table. The status follows
# AUTHENTICATE.
API_KEYS: Final = """
SELECT k.tenant, k.api_key_id, k.user_id, coalesce(u.username, '') AS username, k.description,
       CASE
           WHEN k.active IS NOT TRUE THEN 'revoked'
           WHEN k.expires_at <= now() THEN 'expired'
           WHEN coalesce(k.usage_count, 0) >= k.usage_limit THEN 'used up'
           WHEN u.user_id IS NULL THEN 'user missing'
           WHEN u.is_inactive THEN 'user inactive'
           ELSE 'active'
       END AS status, k.created_at, k.last_used_at, k.expires_at, k.usage_limit,
       coalesce(k.usage_count, 0) AS usage_count
FROM api_keys k LEFT JOIN users u ON u.tenant = k.tenant AND u.user_id = k.user_id
WHERE %(tenant)s::uuid IS NULL OR k.tenant = %(tenant)s
ORDER BY k.created_at, k.api_key_id
"""

# Reads the whole table: ids are indexed behind their tenant, which the caller need not know.
REVOKE_API_KEY: Final = """
UPDATE api_keys SET active = false, updated_at = now() WHERE api_key_id = %(api_key_id)s
"""

-- AlgaPSA's identity tables, where they are missing. An AlgaPSA database has all of them, and they
-- stay as they are. Keyed by tenant first: AlgaPSA distributes by tenant on Citus.

CREATE TABLE IF NOT EXISTS tenants (
    tenant uuid PRIMARY KEY,
    company_name text NOT NULL,
    email text NOT NULL
);

CREATE TABLE IF NOT EXISTS users (
    tenant uuid NOT NULL REFERENCES tenants,
    user_id uuid NOT NULL,
    username text NOT NULL,
    hashed_password text NOT NULL,
    email text,
    first_name text,
    last_name text,
    is_inactive boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant, user_id)
);

CREATE TABLE IF NOT EXISTS roles (
    tenant uuid NOT NULL REFERENCES tenants,
    role_id uuid NOT NULL,
    role_name text NOT NULL,
    description text,
    PRIMARY KEY (tenant, role_id)
);

CREATE TABLE IF NOT EXISTS user_roles (
    tenant uuid NOT NULL,
    user_id uuid NOT NULL,
    role_id uuid NOT NULL,
    PRIMARY KEY (tenant, user_id, role_id),
    FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, user_id),
    FOREIGN KEY (tenant, role_id) REFERENCES roles (tenant, role_id)
);

CREATE TABLE IF NOT EXISTS permissions (
    tenant uuid NOT NULL REFERENCES tenants,
    permission_id uuid NOT NULL,
    resource text NOT NULL,
    action text NOT NULL,
    PRIMARY KEY (tenant, permission_id)
);

CREATE TABLE IF NOT EXISTS role_permissions (
    tenant uuid NOT NULL,
    role_id uuid NOT NULL,
    permission_id uuid NOT NULL,
    PRIMARY KEY (tenant, role_id, permission_id),
    FOREIGN KEY (tenant, role_id) REFERENCES roles (tenant, role_id),
    FOREIGN KEY (tenant, permission_id) REFERENCES permissions (tenant, permission_id)
);

CREATE TABLE IF NOT EXISTS api_keys (
    tenant uuid NOT NULL,
    api_key_id uuid NOT NULL,
    api_key text NOT NULL,
    user_id uuid NOT NULL,
    description text,
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    expires_at timestamptz,
    purpose text,
    metadata jsonb,
    usage_limit integer,
    usage_count integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, api_key_id),
    FOREIGN KEY (tenant, user_id) REFERENCES users (tenant, user_id)
);

-- Authentication looks a key up by its digest alone, which without an index would read all keys.
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_index i
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = 'api_keys'::regclass AND a.attname = 'api_key' AND i.indpred IS NULL
    ) THEN
        CREATE INDEX automation_retry_api_keys_api_key ON api_keys (api_key);
    END IF;
END;
$$;

-- What an execution failed of, and when, as functions for indexes. Names in the bodies are resolved
-- at creation, so no search_path matters later. Each body is one expression that uses an argument
-- once, so the planner replaces the call by it. Another body needs the indexes built again.

-- The pattern of a message, as domain/failure_pattern.py defines it; read it from the inside out.
-- COLLATE "C" makes it the same in every database; in SQL_ASCII, limits count bytes. Two conditions
-- that Python checks by lookahead or by code, each in one pass, take two passes and a mark here,
-- because lookahead of more than a character makes a pass several times slower. The mark is a line
-- feed, which a line cannot hold: first after each run of 8 or more hexadecimal digits, later after
-- each code that stays.
CREATE OR REPLACE FUNCTION automation_retry_failure_pattern(error_message text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(nullif(left(
    regexp_replace(
    replace(
    regexp_replace(
    regexp_replace(
    replace(
    regexp_replace(
    regexp_replace(
    regexp_replace(
    regexp_replace(
    regexp_replace(
    regexp_replace(
    regexp_replace(
    regexp_replace(
        btrim(
            left(
                substring(
                    left(error_message COLLATE "C", 10000),
                    E'[^\n\r]*[^ \t\n\x0b\f\r][^\n\r]*'
                ),
                1000
            ),
            E' \t\n\x0b\f\r'
        ),
        '[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}',
        '<uuid>', 'g'),
        '(?<![0-9])(?:[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])'
        '(?:[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?'
        '|[0-9]{8}[Tt][0-9]{6}(?:[.,][0-9]+)?(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)(?![0-9])',
        '<time>', 'g'),
        '(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:[.][A-Za-z0-9-]+)*[.][A-Za-z]{2,}',
        '<email>', 'g'),
        '(?<![0-9A-Za-z_:.>)])(?:'
        '(?:(?:(?:[0-9A-Fa-f]{1,4}:)+|:)(?::[0-9A-Fa-f]{1,4})+(?:(?:[.][0-9]{1,3}){3})?'
        '|(?:[0-9A-Fa-f]{1,4}:)+:|(?:[0-9A-Fa-f]{1,4}:){7,}[0-9A-Fa-f]{1,4})(?:%[0-9A-Za-z]+)?(?::[0-9]+)?'
        '|:::[0-9]+|::(?!:))(?![0-9A-Za-z_])',
        '<ip>', 'g'),
        '(?<![0-9.])[0-9]{1,3}(?:[.][0-9]{1,3}){3}(?![0-9])(?::[0-9]+)?',
        '<ip>', 'g'),
        '[[]<ip>[]]:[0-9]+',
        '<ip>', 'g'),
        '([0-9A-Fa-f]{8,})',
        E'\\1\n', 'g'),
        E'(?<![0-9])0[Xx][0-9A-Fa-f]+\n?'
        '|(?:[0-9]+[A-Fa-f]|[A-Fa-f]+[0-9])[0-9A-Fa-f]*\n',
        '<hex>', 'g'),
        E'\n', ''),
        '((?:^|(?:[Ss][Tt][Aa][Tt][Uu][Ss]|[Cc][Oo][Dd][Ee]|[Hh][Tt][Tt][Pp]|[Ee][Rr][Rr][Oo][Rr])'
        '[ :=/]?)[0-9]{3})'
        '|((?:^|(?:[Ss][Tt][Aa][Tt][Uu][Ss]|[Cc][Oo][Dd][Ee]|[Hh][Tt][Tt][Pp]|[Ee][Rr][Rr][Oo][Rr])'
        '[ :=/]?))([0-9]{4,}|[0-9]+(?:[.][0-9]+)+)',
        E'\\1\\2\n\\3', 'g'),
        E'[0-9]+(?:[.][0-9]+)*(?![0-9\n])',
        '<n>', 'g'),
        E'\n', ''),
        E'[ \t\x0b\f]{2,}|[\t\x0b\f]',
        ' ', 'g'),
    200), ''), '<none>');

-- The first eight bytes of the SHA-256 that names a failure group, as a signed big-endian number, a
-- shorter index key than its id. convert_to is STABLE and may not be used in an index; decode reads
-- backslashes as escapes, so they are doubled.
CREATE OR REPLACE FUNCTION automation_retry_failure_group(automation_rule_id uuid, error_message text)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ('x' || left(encode(sha256(decode(replace(
    '1' || chr(10) || coalesce(automation_rule_id::text, '') || chr(10)
        || automation_retry_failure_pattern(error_message),
    E'\\', E'\\\\'), 'escape')), 'hex'), 16))::bit(64)::bigint;

-- When an execution failed. A time without a zone is in UTC.
CREATE OR REPLACE FUNCTION automation_retry_failed_at(completed_at timestamptz, started_at timestamptz)
RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(completed_at, started_at);

CREATE OR REPLACE FUNCTION automation_retry_failed_at(completed_at timestamp, started_at timestamp)
RETURNS timestamp
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(completed_at, started_at);

CREATE OR REPLACE FUNCTION automation_retry_failed_at(completed_at timestamptz, started_at timestamp)
RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(completed_at, started_at AT TIME ZONE 'UTC');

CREATE OR REPLACE FUNCTION automation_retry_failed_at(completed_at timestamp, started_at timestamptz)
RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(completed_at AT TIME ZONE 'UTC', started_at);

-- A role that writes a failed execution computes its index entries with its own rights. Where the
-- default privileges take EXECUTE from PUBLIC, its write would be refused.
GRANT EXECUTE ON FUNCTION
    automation_retry_failure_pattern(text),
    automation_retry_failure_group(uuid, text),
    automation_retry_failed_at(timestamptz, timestamptz),
    automation_retry_failed_at(timestamp, timestamp),
    automation_retry_failed_at(timestamptz, timestamp),
    automation_retry_failed_at(timestamp, timestamptz)
TO PUBLIC;

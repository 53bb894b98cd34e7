-- Functions to index failed executions by: what they failed of, and when. Their bodies are bound when
-- they are created, so that no search_path matters later. Each is one expression that names an argument
-- once where that is more than a column, so that the planner puts it in the place of the call.

-- The pattern of a message, which domain/failure_pattern.py defines; read it from the inside out.
-- COLLATE "C" makes it the same in every database. Here is no code to run for a match, so marks stand in
-- for it: a line feed, which one line cannot hold, behind runs of eight or more hexadecimal digits, and
-- then behind codes that stay (before numbers in such a place that are none). Lookaround of two characters
-- would make a pass ten times as expensive.
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

-- The first eight bytes of a failure group's SHA-256, as a signed number: half the size of its id as an
-- index key. No convert_to: it counts as STABLE. A backslash is doubled for decode to halve it again.
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

-- Whoever writes an execution that failed computes what the indexes hold, with the writer's own rights: a
-- database that takes EXECUTE from PUBLIC by default would refuse the write.
GRANT EXECUTE ON FUNCTION
    automation_retry_failure_pattern(text),
    automation_retry_failure_group(uuid, text),
    automation_retry_failed_at(timestamptz, timestamptz),
    automation_retry_failed_at(timestamp, timestamp),
    automation_retry_failed_at(timestamptz, timestamp),
    automation_retry_failed_at(timestamp, timestamptz)
TO PUBLIC;

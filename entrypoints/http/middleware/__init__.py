"""Around every request: its id and log line, authentication, rate limit, permission and body."""

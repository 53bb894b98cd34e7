"""Redis and NATS as engines, on real servers: what their consumers get, and what outages do."""

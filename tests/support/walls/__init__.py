"""Requests of every role to every route, in a service with other tenants and in one without."""

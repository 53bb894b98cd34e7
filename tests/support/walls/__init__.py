"""Requests of every role to every route, beside other tenants and without them."""

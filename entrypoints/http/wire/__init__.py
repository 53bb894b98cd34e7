"""Requests and answers as they travel: errors, JSON, paging."""

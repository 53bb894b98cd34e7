"""The use cases, over memory."""

"""With what the ports are implemented. Adapters do not know each other."""

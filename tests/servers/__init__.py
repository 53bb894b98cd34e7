"""Real brokers from their wheels, each in a process of its own that can be stopped and killed."""

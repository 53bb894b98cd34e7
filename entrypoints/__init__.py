"""How the service is reached, and the only place where it is wired."""

"""What HTTP itself promises; nothing here needs a database."""

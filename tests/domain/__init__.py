"""What an execution is and how it is retried."""

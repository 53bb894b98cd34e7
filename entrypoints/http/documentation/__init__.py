"""The API described for programs and people, from the route table."""

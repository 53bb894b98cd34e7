"""One contract suite for each port, over every adapter of it."""

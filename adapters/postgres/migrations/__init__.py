"""The schema, as SQL files that are applied once each, in the order of their names."""

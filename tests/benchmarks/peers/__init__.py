"""What users would write instead: the same endpoint on the same tables, each in one file."""

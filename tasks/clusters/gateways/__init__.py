"""The outside systems that clusters need."""

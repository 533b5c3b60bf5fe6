"""What is done about clusters, by workers."""

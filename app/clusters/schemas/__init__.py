"""Wire forms of clusters."""

"""Wire forms of monitoring."""

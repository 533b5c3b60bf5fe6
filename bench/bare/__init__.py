"""The bare parts: what one gets by writing the same the usual way, with the libraries as they come."""

"""The only reader of the environment: typed settings, queues, logging."""

"""How work is run: the Celery app, the runtime, the relay and the beat schedule."""

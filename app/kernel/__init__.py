"""What every room stands on: database, errors, events, intents, ids, streams, crypto. No Flask, no Celery."""

"""Starts the whole platform on one machine: embedded PostgreSQL and Redis, every line of the Procfile, and the demo.

It knows the platform from outside only: the Procfile, environment variables and the public HTTP API.
"""

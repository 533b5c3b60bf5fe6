"""Container engines for tests: real ones where they are installed, and a server that speaks their API everywhere."""

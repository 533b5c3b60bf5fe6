"""The command line: what a developer runs at their own machine, without a server."""

"""The test suites of public projects, run through a platform as their own people would: `python -m bench.public`."""

"""Finding what goes wrong: anomalies in series, problems, recommendations."""

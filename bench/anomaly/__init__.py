"""The anomaly detectors held to labelled series: `make bench-anomaly DATA=folder`, docs/anomaly.md."""

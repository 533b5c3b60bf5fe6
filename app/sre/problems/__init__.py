"""Problems: what belongs together of anomalies, alerts and facts, and what came first. `signals`, `causes` and
`grouping` are pure; the others are given a session, and commit nothing. How it decides: docs/problems.md."""

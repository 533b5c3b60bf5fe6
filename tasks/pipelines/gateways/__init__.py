"""What pipelines need of the outside world: a place to run steps, a source of code, a store for what they leave."""

"""Recovery: waiting until the pipeline is ready again, or drained."""

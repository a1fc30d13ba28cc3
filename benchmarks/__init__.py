"""The rendered `inference` project against other ways to serve the same model: `python -m benchmarks`."""

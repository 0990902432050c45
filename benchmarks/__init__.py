"""What the product costs: seconds, megabytes, bytes. `python -m benchmarks` measures everything."""

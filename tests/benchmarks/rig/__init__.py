"""What benchmarks share: programs, load, bare loops, figures."""

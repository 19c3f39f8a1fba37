"""Functions that several benchmarks share: command line, tables, figures, SExtractor."""

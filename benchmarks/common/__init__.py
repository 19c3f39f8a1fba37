"""Parts that several benchmarks share: command lines, tables, scores, SExtractor."""

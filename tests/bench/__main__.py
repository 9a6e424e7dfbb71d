"""All benchmarks, one after the other: python -m tests.bench."""

from tests.bench import formats, throughput

throughput.main([100_000, 1_000_000, 5_000_000])
print()
formats.main(30_000)

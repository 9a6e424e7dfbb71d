"""All benchmarks, one after the other: python -m tests.bench."""

from tests.bench import formats, shares, throughput

throughput.main()
print()
shares.main(300_000)
print()
formats.main(30_000)

"""Benchmarks: each writes its table into the documentation (`make bench-…`).

Shared modules stand here; `accuracy` compares with rivals and measures parts of training, `speed`
measures latency, memory and throughput, `export` measures recipes, words and other platforms.
"""

"""The suites of the benchmark: one file a suite, ncjax against its peers on the same work in one process.

To add a suite: a file with a function from `Options` to an iterator of `Case`, and a line in `SUITES`.
"""

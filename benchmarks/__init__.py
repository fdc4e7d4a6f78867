"""Speed and memory, measured beside what bounds them and beside others that do the same job, in the same run.

One file is one benchmark; its name is its name, and `_` leads what is none. A benchmark has

    def run(*, quick: bool) -> Findings

which measures and gives tables, and the limits that the project holds itself to; `quick` bounds it to seconds and gives
figures that show no more than that it works. Rows in which another wins stay in; one that is not installed has a row
that says so. `python -m benchmarks` runs them all and writes docs/benchmarks.md.
"""

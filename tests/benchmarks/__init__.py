"""How fast the service is, compared with what users might write instead, and with the limit.

`make bench`, or `python -m tests.benchmarks` where the extra `bench` is installed. Every number is
taken in one run on one machine, and only ratios of them mean anything on another.
"""

"""A clock that is ten seconds earlier at each look."""

import itertools
import time

count = itertools.count()
real, real_ns = time.time, time.time_ns
time.time = lambda: real() - 10 * next(count)
time.time_ns = lambda: real_ns() - 10_000_000_000 * next(count)

"""The tasks of the benchmark. A module of their own: what dask can import it sends by name instead of as code."""
import time


def noop(argument):
    """Answers with 60 bytes of its 70."""
    return argument[:60]


def first(arguments):
    return arguments[0]


def either(one, other):
    return one if one > other else other


def spin(task_ms):
    end = time.perf_counter() + task_ms / 1000
    while time.perf_counter() < end:
        pass


def make_array(size):
    import numpy

    return numpy.random.default_rng(size).random(size // 8)


def size_of(array):
    return array.nbytes

"""dask.distributed as a peer of the scheduler benchmark.

Starts a cluster of 2 workers with 1 thread each in a configuration of dask_configurations.py, says so in one line of JSON, and then
answers one line of JSON on standard input with one on standard output, until its input ends:

    {"measure": "map", "tasks": 10000}                   -> {"seconds": 2.9}
    {"measure": "efficiency", "tasks": 600, "taskMs": 10} -> {"efficiency": 0.93, "seconds": 3.2}

Arguments of a task are about 70 bytes and results 60, of unlike content, as in the benchmark's own tasks.
"""
import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
import warnings

import dask
import distributed
from dask_configurations import CONFIGURATIONS
from dask_tasks import either, first, make_array, noop, size_of, spin
from distributed import Client, LocalCluster, Scheduler, Worker, wait

WORKERS = 2


def arguments_of(tasks):
    return [f"{index:010d}".ljust(70, "a") for index in range(tasks)]


class Peer:
    """The measures; each leaves the cluster without tasks."""

    def __init__(self, client, configuration):
        self.client = client
        self.run = 0
        batch = configuration.get("batch")
        self.options = {"pure": False}
        if batch is not None:
            self.options["batch_size"] = batch

    def map_tasks(self, function, arguments, **options):
        self.run += 1
        return self.client.map(function, arguments, key=f"run-{self.run}", **self.options, **options)

    def forget(self, futures):
        """Lets go of results and waits until the scheduler has: the next measure begins with nothing."""
        del futures[:]
        self.until_empty()

    def until_empty(self):
        while self.client.run_on_scheduler(tasks_held) > 0:
            time.sleep(0.01)

    def measure_map(self, tasks):
        arguments = arguments_of(tasks)
        start = time.perf_counter()
        futures = self.map_tasks(noop, arguments)
        wait(futures)
        seconds = time.perf_counter() - start
        self.forget(futures)
        return {"seconds": seconds}

    def measure_map_gather(self, tasks):
        arguments = arguments_of(tasks)
        start = time.perf_counter()
        futures = self.map_tasks(noop, arguments)
        results = self.client.gather(futures)
        seconds = time.perf_counter() - start
        assert len(results) == tasks and results[-1] == arguments[-1][:60]
        self.forget(futures)
        return {"seconds": seconds}

    def measure_merge(self, tasks):
        """`tasks` tasks and one that needs the results of all. As a graph, which is dask's faster way."""
        self.run += 1
        graph = {f"leaf-{self.run}-{index}": (noop, argument) for index, argument in enumerate(arguments_of(tasks))}
        top = f"top-{self.run}"
        graph[top] = (first, list(graph))
        return self.graph(graph, top)

    def measure_tree(self, tasks):
        """A binary tree of about `tasks` tasks, leaves included."""
        self.run += 1
        names = [f"leaf-{self.run}-{index}" for index in range((tasks + 1) // 2)]
        graph = dict(zip(names, [(noop, argument) for argument in arguments_of(len(names))]))
        while len(names) > 1:
            above = []
            for index in range(0, len(names) - 1, 2):
                name = f"node-{self.run}-{len(graph)}"
                graph[name] = (either, names[index], names[index + 1])
                above.append(name)
            names = above + names[len(names) & ~1 :]
        return self.graph(graph, names[0])

    def measure_stencil(self, side):
        """Rows of tasks, each of which needs its three neighbours in the row before."""
        self.run += 1
        name = f"cell-{self.run}"
        graph = {f"{name}-0-{column}": (noop, argument) for column, argument in enumerate(arguments_of(side))}
        for row in range(1, side):
            for column in range(side):
                near = range(max(0, column - 1), min(side, column + 2))
                graph[f"{name}-{row}-{column}"] = (first, [f"{name}-{row - 1}-{other}" for other in near])
        top = f"{name}-top"
        graph[top] = (first, [f"{name}-{side - 1}-{column}" for column in range(side)])
        return self.graph(graph, top)

    def graph(self, graph, top):
        start = time.perf_counter()
        result = self.client.get(graph, top, optimize_graph=False)
        seconds = time.perf_counter() - start
        assert len(result) == 60
        self.until_empty()
        return {"seconds": seconds, "tasks": len(graph)}

    def measure_round_trip(self, times):
        took = []
        for _ in range(times):
            self.run += 1
            argument = f"{self.run:070d}"
            start = time.perf_counter()
            self.client.submit(noop, argument, key=f"single-{self.run}", pure=False).result()
            took.append((time.perf_counter() - start) * 1000)
        self.until_empty()
        return {"medianMs": statistics.median(took), "bestMs": min(took)}

    def measure_efficiency(self, tasks, taskMs):
        arguments = [taskMs] * tasks
        start = time.perf_counter()
        futures = self.map_tasks(spin, arguments)
        wait(futures)
        seconds = time.perf_counter() - start
        self.forget(futures)
        return {"seconds": seconds, "efficiency": tasks * taskMs / 1000 / (WORKERS * seconds)}


    def measure_transfer(self, bytes, times):
        """An array from one worker to the other: from submit to result, and what the needer's log says of the transfer."""
        holder, needer = list(self.client.scheduler_info()["workers"])[:2]
        took = []
        before = self.client.run(time.process_time, workers=[needer])[needer]
        for _ in range(times + 1):
            self.run += 1
            array = self.client.submit(make_array, bytes, key=f"array-{self.run}", workers=[holder], pure=False)
            wait(array)
            start = time.perf_counter()
            size = self.client.submit(size_of, array, key=f"size-{self.run}", workers=[needer], pure=False).result()
            took.append((time.perf_counter() - start) * 1000)
            assert size == bytes
            del array
            self.until_empty()
        own = self.client.run(transfers, workers=[needer])[needer][-times:]
        cpu = self.client.run(time.process_time, workers=[needer])[needer] - before
        return {
            "medianMs": statistics.median(took[1:]),
            "ownMs": statistics.median(own),
            "cpuMs": cpu * 1000 / (times + 1),
        }


def transfers(dask_worker):
    """Milliseconds of each. The log has another name in older releases, and is as long as other logs."""
    for name in ("transfer_incoming_log", "incoming_transfer_log"):
        if hasattr(dask_worker, name):
            return [entry["duration"] * 1000 for entry in getattr(dask_worker, name)]
    raise AttributeError("no log of transfers")


def tasks_held(dask_scheduler):
    return len(dask_scheduler.tasks)


def answer(peer, line):
    request = json.loads(line)
    measure = getattr(peer, "measure_" + request.pop("measure").replace("-", "_"))
    return measure(**request)


def serve(client, name, configuration):
    peer = Peer(client, configuration)
    client.wait_for_workers(configuration.get("workers", WORKERS))
    peer.measure_map(1000)
    say({"peer": "dask", "version": distributed.__version__, "python": sys.version.split()[0], "configuration": name})
    for line in sys.stdin:
        say(answer(peer, line))


def say(message):
    print(json.dumps(message), flush=True)


def run_apart(configuration, name):
    """The scheduler and each worker is a process of its own, as on several machines."""
    scheduler = child("scheduler", name)
    children = [scheduler]
    try:
        address = scheduler.stdout.readline().strip()
        children += [child("worker", name, "--address", address) for _ in range(WORKERS)]
        with Client(address) as client:
            serve(client, name, configuration)
    finally:
        for process in children:
            process.terminate()
        for process in children:
            process.wait()


def child(role, name, *rest):
    command = [sys.executable, os.path.abspath(__file__), name, "--role", role, *rest]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


async def run_role(role, address):
    # Workers import the tasks by the name under which the client knows them.
    if role == "scheduler":
        async with Scheduler(host="127.0.0.1", port=0, dashboard=False) as scheduler:
            print(scheduler.address, flush=True)
            await scheduler.finished()
    else:
        async with Worker(address, nthreads=1, dashboard=False) as worker:
            await worker.finished()


def run_local(configuration, name):
    workers = configuration.get("workers", WORKERS)
    options = {"n_workers": workers, "threads_per_worker": WORKERS // workers}
    if configuration["layout"] == "threads":
        options["processes"] = False
    options["dashboard_address"] = "127.0.0.1:0" if configuration.get("plain") else None
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        serve(client, name, configuration)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configuration", choices=CONFIGURATIONS)
    parser.add_argument("--role", choices=["scheduler", "worker"])
    parser.add_argument("--address")
    arguments = parser.parse_args()
    configuration = CONFIGURATIONS[arguments.configuration]
    # Settings are set under the names of all releases.
    warnings.simplefilter("ignore", FutureWarning)
    dask.config.set(configuration["settings"])
    if arguments.role is not None:
        asyncio.run(run_role(arguments.role, arguments.address))
    elif configuration["layout"] == "apart":
        run_apart(configuration, arguments.configuration)
    else:
        run_local(configuration, arguments.configuration)


if __name__ == "__main__":
    main()

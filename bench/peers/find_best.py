"""Which configuration of dask is the fastest here: all of dask_peer.py in turn, several rounds, medians.

    python3 bench/peers/find_best.py [--rounds 3] [--tasks 10000] [--python PATH ...] [--configuration NAME ...] [--json]
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

from dask_configurations import CONFIGURATIONS

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHONS = [os.path.join(HERE, ".venv/bin/python"), "/usr/bin/python3"]


def requests(tasks):
    return [
        {"measure": "map", "tasks": tasks},
        {"measure": "map-gather", "tasks": tasks},
        {"measure": "tree", "tasks": tasks},
        {"measure": "round-trip", "times": 50},
    ]


def run(python, configuration, tasks):
    """Figures of one fresh cluster by name; None where it does not come up."""
    lines = "".join(json.dumps(request) + "\n" for request in requests(tasks))
    command = [python, os.path.join(HERE, "dask_peer.py"), configuration]
    try:
        process = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=170)
    except subprocess.TimeoutExpired:
        return None
    answers = [json.loads(line) for line in process.stdout.splitlines()]
    if len(answers) != len(requests(tasks)) + 1:
        return None
    hello, mapped, gathered, tree, round_trip = answers
    return {
        "version": hello["version"],
        "map": tasks / mapped["seconds"],
        "gather": tasks / gathered["seconds"],
        "tree": tree["tasks"] / tree["seconds"],
        "roundTripMs": round_trip["medianMs"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--python", nargs="+", default=PYTHONS)
    parser.add_argument("--configuration", nargs="+", default=list(CONFIGURATIONS))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = {}
    for _ in range(arguments.rounds):
        for python in arguments.python:
            for configuration in arguments.configuration:
                figures = run(python, configuration, arguments.tasks)
                print(".", end="", file=sys.stderr, flush=True)
                if figures is not None:
                    found.setdefault((figures.pop("version"), configuration), []).append(figures)
    rows = [
        {
            "version": version,
            "configuration": configuration,
            **{name: statistics.median(each[name] for each in rounds) for name in rounds[0]},
        }
        for (version, configuration), rounds in found.items()
    ]
    rows.sort(key=lambda row: (row["version"], -row["map"]))
    if arguments.json:
        return print(json.dumps(rows))
    print(f"\n{'release':18} {'configuration':14} {'map/s':>8} {'gather/s':>8} {'tree/s':>8} {'round trip ms':>14}")
    for row in rows:
        print("{version:18} {configuration:14} {map:8.0f} {gather:8.0f} {tree:8.0f} {roundTripMs:14.2f}".format(**row))


if __name__ == "__main__":
    main()

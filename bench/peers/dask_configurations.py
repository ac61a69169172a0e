"""Configurations of dask that are compared; the fastest is the peer. Needs no dask."""

# What costs time and what a benchmark of throughput can do without.
LEAN = {
    "distributed.scheduler.worker-saturation": "inf",
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.active-memory-manager.start": False,
    # The name of older releases; newer ones take the one below and warn.
    "distributed.scheduler.transition-log-length": 0,
    "distributed.scheduler.validate": False,
    "distributed.worker.validate": False,
    "distributed.worker.profile.enabled": False,
    "distributed.worker.profile.interval": "10s",
    "distributed.worker.profile.cycle": "100s",
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.log-length": 0,
    "distributed.admin.low-level-log-length": 0,
    "distributed.comm.compression": None,
    "distributed.diagnostics.nvml": False,
}
SATURATED = {"distributed.scheduler.worker-saturation": "inf"}
UVLOOP = {"distributed.admin.event-loop": "uvloop"}

# layout: `local` puts the scheduler into the client's process, `apart` gives it one of its own, `threads` puts all into one
# process. batch: tasks of one message of `Client.map`, where the release has it.
CONFIGURATIONS = {
    "default": {"layout": "local", "plain": True, "settings": {}},
    "saturated": {"layout": "local", "plain": True, "settings": SATURATED},
    "lean": {"layout": "local", "settings": LEAN},
    # With the log of transfers, which is kept among the low-level ones.
    "transfer": {
        "layout": "local",
        "settings": {**LEAN, **UVLOOP, "distributed.admin.low-level-log-length": 1000},
    },
    "lean-batch": {"layout": "local", "settings": LEAN, "batch": 1000},
    "lean-uvloop": {"layout": "local", "settings": {**LEAN, **UVLOOP}},
    "apart": {"layout": "apart", "settings": LEAN},
    "apart-batch": {"layout": "apart", "settings": LEAN, "batch": 1000},
    "apart-uvloop": {"layout": "apart", "settings": {**LEAN, **UVLOOP}},
    "one-process": {"layout": "local", "settings": LEAN, "workers": 1},
    "threads": {"layout": "threads", "settings": LEAN},
    "threads-batch": {"layout": "threads", "settings": LEAN, "batch": 1000},
}

"""Round trips, counted by caas-bench-relay between guest and vsmd."""
import json
import re
import signal
import subprocess

from . import lab as lab_

FRAMES = {0xffff0001: "beat", 0xffff0002: "resume", 0xffff0003: "again", 0xffff0004: "fetch",
          0xffff0005: "info"}


def names():
    """Call numbers to names, from the table of calls."""
    text = (lab_.ROOT / "protocol" / "calls.def").read_text()
    return {int(n): name for n, name in re.findall(r"CALL\((\d+),\s*(\w+)", text)} | FRAMES


class Relay:
    """with Relay(lab) as r: r.env leads an application through it."""

    def __init__(self, lab):
        _, env = lab.caas
        self.lab = lab
        self.path = lab.work / "relay.sock"
        self.to = env["CAAS_VSM_ADDRESS"].removeprefix("unix:")
        # It takes frames apart, which must pass by it.
        self.env = {**env, "CAAS_VSM_ADDRESS": f"unix:{self.path}",
                    "CAAS_VSM_SHARED_MEMORY": "off"}
        self.names = names()

    def __enter__(self):
        self.process = self.lab.start([lab_.tool("caas-bench-relay"), str(self.path), self.to],
                                      stdout=subprocess.PIPE, text=True)
        self.lab.wait(self.path)
        # Whoever a server becomes may come in.
        self.path.chmod(0o666)
        return self

    def __exit__(self, *_):
        self.lab.stop(self.process)

    def count(self):
        """What it has seen so far."""
        self.process.send_signal(signal.SIGUSR1)
        got = json.loads(self.process.stdout.readline())
        got["calls"] = {self.names.get(int(n), n): c for n, c in got["calls"].items()}
        return got

    def between(self, run):
        """What run() adds: {trips, frames, hellos, calls: {name: frames}, asked, answered}."""
        a = self.count()
        run()
        b = self.count()
        zero = {"frames": 0, "asked": 0, "answered": 0}
        calls = {n: {k: c[k] - a["calls"].get(n, zero)[k] for k in zero}
                 for n, c in b["calls"].items()}
        calls = {n: c for n, c in calls.items() if c["frames"]}
        return {
            "trips": b["trips"] - a["trips"],
            "hellos": sum(b[k] - a[k] for k in ("slots", "token")),
            "frames": sum(c["frames"] for c in calls.values()),
            "asked": sum(c["asked"] for c in calls.values()),
            "answered": sum(c["answered"] for c in calls.values()),
            "calls": {n: c["frames"] for n, c in calls.items()},
        }


def per_operation(lab, key, **kw):
    """Round trips of one caas-bench operation and the mean bytes of each: {trips, ask,
    answer}.  Opening and closing is a few of thousands."""
    got = {}
    with Relay(lab) as r:
        seen = r.between(lambda: got.update(lab.bench("caas", key, seconds=0.3, env=r.env, **kw)))
    return {"trips": round(seen["trips"] / (got["ops"] + 2), 1),
            "ask": round(seen["asked"] / seen["trips"]),
            "answer": round(seen["answered"] / seen["trips"])}

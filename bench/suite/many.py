"""A thousand applications, each of which signs once a second."""
import json
import subprocess

from .bars import Bar, number, rows
from .lab import TOKEN, say, tool

TITLE = "Many applications"
KEYS = ("p256", "rsa2048")


class Apps:
    """caas-bench-many: with Apps(...) as a: a.ready, a.measured(), then all are idle."""

    def __init__(self, lab, apps, seconds, key):
        module, env = lab.caas
        self.process = lab.start(
            [tool("caas-bench-many"), "--module", module, "--token", TOKEN, "--apps", str(apps),
             "--seconds", str(seconds), "--key", key], env=env, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=None, text=True)
        self.lab = lab

    def __enter__(self):
        self.ready = self.line()
        return self

    def line(self):
        text = self.process.stdout.readline()
        return json.loads(text) if text else None

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.lab.started.remove(self.process)


def mib(memory):
    """(private, proportional) of all, MiB."""
    return [round(sum(x) / 1024, 1) for x in zip(*memory.values())]


def one(lab, apps, seconds, key):
    lab.bench("caas", key, 1, 0.001)  # the key is there
    with Apps(lab, apps, seconds, key) as a:
        got = {"apps": apps, "start": a.ready, "signing": None}
        if a.ready and a.ready["ready"] == apps:
            got["signing"] = a.line()
        memory = lab.caas_memory()
        got["private_mib"], got["pss_mib"] = mib(memory)
        got["processes"] = len(memory)
    return got


def run(lab, opt):
    out = {}
    for key in KEYS:
        say(f"  many {key}: {opt.apps} applications for {opt.many_seconds} s")
        out[key] = one(lab, opt.apps, opt.many_seconds, key)
    return out


def bars(result):
    out = []
    for key, r in result.items():
        s = r["signing"] or {}
        what = f"{r['apps']:,} applications sign once a second ({key})"
        ready = r["start"]["ready"] if not s or s["failed"] else r["apps"]
        out += [Bar(f"{what}: connected and served", float(ready), r["apps"], unit=""),
                Bar(f"{what}: p99", s and s["call_p99_us"] / 1000 or None, 20, False, "ms"),
                Bar(f"{what}: memory (private)", r["private_mib"], 1024, False, "MiB")]
    return out


def table(result):
    body = []
    for key, r in result.items():
        s = r["signing"]
        body.append([key, f"{r['start']['ready']:,} of {r['apps']:,}",
                     number(r["start"]["seconds"], 1)] +
                    ([f"{s['call_p50_us'] / 1000:.1f} / {s['call_p99_us'] / 1000:.1f} / "
                      f"{s['call_max_us'] / 1000:.1f}", f"{s['late_p99_us'] / 1000:.1f}"]
                     if s else ["-", "-"]) +
                    [f"{r['private_mib']:,.0f} / {r['pss_mib']:,.0f}", r["processes"]])
    return ["Each application is a process of its own, and all share the processors with vsmd. "
            "The time of C_SignInit and C_Sign; p99 also from the moment at which the signature "
            "was due. Memory of all of vsmd's processes.", ""] + rows(
        ["key", "connected", "in s", "p50 / p99 / max ms", "p99 from due ms",
         "private / Pss MiB", "processes"], body)

"""Options, order, and what is written."""
import argparse
import importlib
import pathlib
import sys
import time

from . import bars, host, render
from .lab import ROOT, Lab, say, tool

USAGE = """scripts/bench - the contenders side by side, in one run

    scripts/bench                   all benchmarks, printed
    scripts/bench sign tls          some of them
    scripts/bench --quick           short, and with fewer objects and applications
    scripts/bench --write           and docs/bench/results.json, the charts and the tables in
                                    the documentation anew
    scripts/bench --render          charts and tables from docs/bench/results.json
    scripts/bench --check           fails when they are not what that makes of it

Contenders take turns, and each figure is the median of some rounds with the least and the
most.  Compare columns of one run only: figures of two runs say more of the machine than of
the programs.  A bar that is missed is shown, and is no failure.
"""
# In this order: what needs little first, what disturbs the rest last.
NAMES = ("sign", "ods", "latency", "layers", "aes", "tls", "roundtrips", "memory", "find", "start",
         "create", "many")


def options():
    ap = argparse.ArgumentParser(prog="scripts/bench", description=USAGE,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("names", nargs="*", metavar="BENCHMARK", help=" ".join(NAMES))
    ap.add_argument("--quick", action="store_true")
    ap.add_argument("--rounds", type=int, help="of each contender (5; quick 3)")
    ap.add_argument("--seconds", type=float, help="of each measurement (1; quick 0.3)")
    ap.add_argument("--keys", help="for sign (all; quick rsa2048,p256)")
    ap.add_argument("--threads", help="for sign (1,2,8,32; quick 1,8)")
    ap.add_argument("--objects", type=int, help="on a big token (10000; quick 1000)")
    ap.add_argument("--apps", type=int, help="for many (1000; quick 100)")
    ap.add_argument("--write", action="store_true", help="results.json, charts, tables")
    ap.add_argument("--svg", type=pathlib.Path, help="the charts into this directory")
    ap.add_argument("--render", action="store_true", help="measure nothing")
    ap.add_argument("--check", action="store_true", help="measure nothing, write nothing")
    o = ap.parse_args()
    o.rounds = o.rounds or (3 if o.quick else 5)
    o.seconds = o.seconds or (0.3 if o.quick else 1.0)
    o.objects = o.objects or (1000 if o.quick else 10000)
    o.apps = o.apps or (100 if o.quick else 1000)
    o.many_seconds = 3 if o.quick else 15
    o.creations = 5 if o.quick else 10
    o.keys = (o.keys or ("rsa2048,p256" if o.quick else
                         "rsa1024,rsa2048,rsa3072,p256,p384,ed25519")).split(",")
    o.threads = [int(t) for t in (o.threads or ("1,8" if o.quick else "1,2,8,32")).split(",")]
    if unknown := set(o.names) - set(NAMES):
        ap.error(f"no benchmark {', '.join(unknown)}: there are {' '.join(NAMES)}")
    return o


def measure(names, o, benchmarks):
    """{name: {host, options, result}} of those that could be run."""
    about = host.describe(ROOT)
    used = {k: getattr(o, k) for k in ("quick", "rounds", "seconds", "objects", "apps")}
    out, failed = {}, []
    lab = Lab()
    try:
        for name in names:
            t0 = time.monotonic()
            try:
                result = benchmarks[name].run(lab, o)
            except Exception as e:  # the others can still be measured
                say(f"scripts/bench: {name}: {type(e).__name__}: {e}")
                failed.append(name)
                continue
            out[name] = {"host": about, "options": used, "result": result}
            print(f"\n## {benchmarks[name].TITLE}\n")
            print("\n".join(benchmarks[name].table(result)), flush=True)
            say(f"  ({name}: {time.monotonic() - t0:.0f} s)")
    finally:
        lab.close()
    return out, failed


def main():
    o = options()
    benchmarks = {n: importlib.import_module(f".{n}", __package__) for n in NAMES}
    if o.render:
        render.write(render.load(), benchmarks)
        return 0
    if o.check:
        if stale := render.stale(render.load(), benchmarks):
            say(f"scripts/bench: not as --render makes them: {' '.join(stale)}")
        return 1 if stale else 0
    if not pathlib.Path(tool("caas-bench-many")).exists():
        sys.exit(f"scripts/bench: {tool('caas-bench-many')} is missing: "
                 "cmake -S . -B build -G Ninja && cmake --build build")
    measured, failed = measure([n for n in NAMES if not o.names or n in o.names], o, benchmarks)
    results = {"benchmarks": measured}
    if shown := render.all_bars(results, benchmarks):
        print("\n## Bars\n\n" + "\n".join(bars.table(shown)))
    print(f"\n{host.line(host.describe(ROOT))}")
    if o.svg:
        o.svg.mkdir(parents=True, exist_ok=True)
        for name, svg in render.charts(results, benchmarks).items():
            (o.svg / name).write_text(svg)
    if o.write:
        old = render.load()["benchmarks"]
        render.write({"benchmarks": {n: (old | measured)[n] for n in NAMES if n in old | measured}},
                     benchmarks)
    if failed:
        say(f"scripts/bench: could not run: {', '.join(failed)}")
    return 1 if failed else 0

"""Private memory per further idle application."""
import statistics

from .bars import Bar, rows
from .lab import say
from .many import Apps

TITLE = "Memory of an idle application"
FEW, MORE = 1, 20


def run(lab, opt):
    del opt
    say("  memory")
    lab.bench("caas", "p256", 1, 0.001)
    sample = {}
    for n in (FEW, FEW + MORE):
        with Apps(lab, n, 0, "p256"):
            sample[n] = (lab.caas_memory("vsmd-worker"), lab.caas_memory())
    workers, everything = sample[FEW + MORE]
    grown = sum(p for p, _ in everything.values()) - sum(p for p, _ in sample[FEW][1].values())
    return {"applications": MORE,
            "worker_kib": statistics.median(p for p, _ in workers.values()),
            "worker_max_kib": max(p for p, _ in workers.values()),
            "further_kib": round(grown / MORE),
            "pss_kib": statistics.median(p for _, p in workers.values())}


def bars(result):
    return [Bar("private memory per further idle application",
                max(result["worker_kib"], result["further_kib"]) / 1024, 0.6, False, "MiB")]


def table(result):
    return ["Applications that have logged in and signed once, and hold their session. From "
            "`smaps_rollup`, KiB.", ""] + rows(
        ["", "KiB"],
        [["vsmd-worker, private, median", f"{result['worker_kib']:,.0f}"],
         ["vsmd-worker, private, largest", f"{result['worker_max_kib']:,.0f}"],
         [f"all of vsmd, private, per further application (of {result['applications']})",
          f"{result['further_kib']:,.0f}"],
         ["vsmd-worker, proportional", f"{result['pss_kib']:,.0f}"]])

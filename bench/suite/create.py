"""What a new key pair costs, by the number of objects on the token."""
import shutil

from . import charts as svg
from .bars import number, rows
from .big import LABEL
from .lab import SOFTHSM, say, tool
from .stats import columns, interleaved

TITLE = "Creating a key pair"
SIDES = {"disk": "SoftHSM2, on disk", "softhsm": "SoftHSM2, in memory", "caas": "CaaS"}


def fill(lab, side, env, count):
    module = lab.caas_module if side == "caas" else SOFTHSM
    return lab.run([tool("caas-bench-fill"), "--module", module, "--token", LABEL, "--first", 90000,
                    "--count", count], env)


def run(lab, opt):
    out = {}
    sizes = sorted({0, opt.objects // 10, opt.objects // 2, opt.objects})
    for n in sizes:
        say(f"  create, {n:,} objects there")
        where = {"disk": lab.work / "create", "softhsm": lab.memory / "create"}
        env = {s: lab.big.softhsm(n, w) for s, w in where.items()}
        lab.big.caas(n, fresh=True)
        env["caas"] = lab.caas[1]
        runs = interleaved({s: lambda s=s: fill(lab, s, env[s], opt.creations) for s in SIDES},
                           min(opt.rounds, 3))
        out[str(n)] = {s: columns(v, "p50_us") for s, v in runs.items()}
        for w in where.values():
            shutil.rmtree(w)
        lab.big.restored = -1  # it has more now
    return out


def share(r):
    """(SoftHSM2's, ours) in ms of the medians."""
    theirs, whole = r["softhsm"]["p50_us"]["median"], r["caas"]["p50_us"]["median"]
    return theirs / 1000, (whole - theirs) / 1000


def table(result):
    def ms(s):
        return number({k: v / 1000 for k, v in s.items()}, 1)

    body = [[f"{int(n):,}"] + [ms(r[s]["p50_us"]) for s in SIDES] +
            [f"{x:,.1f}" for x in share(r)] for n, r in result.items()]
    return ["P-256, milliseconds. In vsmd SoftHSM2 works in memory, and what it wrote is sealed "
            "and synced to disk: its share is what SoftHSM2 alone takes in memory, ours is the "
            "rest. SoftHSM2 on disk syncs nothing.", ""] + rows(
        ["objects there", *SIDES.values(), "SoftHSM2's share", "ours"], body)


def charts(result):
    data = [(f"{int(n):,} objects", [("token", share(r)[0]), ("worker", share(r)[1])])
            for n, r in result.items()]
    return {"create.svg": svg.stacked("Creating a P-256 key pair, ms", data,
                                      {"token": "SoftHSM2", "worker": "vsmd"}, "ms")}

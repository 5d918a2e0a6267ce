"""Where a signature's time goes: module, transport, worker, cryptography."""
from . import charts as svg
from . import relay
from .bars import Bar, rows
from .lab import say
from .latency import pinned
from .stats import columns, interleaved, ratio

TITLE = "Where a signature's time goes"
KEYS = ("rsa2048", "p256")
LAYERS = {"crypto": "cryptography", "token": "SoftHSM2 around it", "worker": "worker",
          "transport": "transport", "module": "module"}


def run(lab, opt):
    out = {}
    for key in KEYS:
        say(f"  layers {key}")
        trip = relay.per_operation(lab, key)
        sides = {
            "raw": lambda: lab.bench("raw", key, 1, opt.seconds),
            "softhsm": lambda: lab.bench("softhsm", key, 1, opt.seconds),
            "shared": lambda: lab.echo(trip["ask"], trip["answer"], opt.seconds, True),
            "caas": lambda: lab.bench("caas", key, 1, opt.seconds),
            "socket": lambda: lab.bench("socket", key, 1, opt.seconds),
        }
        runs = interleaved({s: lambda run=run: pinned(lab, run) for s, run in sides.items()} |
                           {"caas, two": sides["caas"]}, opt.rounds)
        sides = {s: columns(v, "p50_us", "user_us", "system_us") for s, v in runs.items()}
        out[key] = {"trips": trip["trips"], "ask": trip["ask"], "answer": trip["answer"],
                    "sides": sides, "socket": ratio([r["p50_us"] for r in runs["socket"]],
                                                    [r["p50_us"] for r in runs["caas"]]),
                    **split(sides, trip["trips"])}
    return out


def bars(result):
    return [Bar("P-256, one thread on one processor, p50, without shared memory to with it",
                result.get("p256", {}).get("socket"), 1.1)]


def split(sides, trips):
    p50 = {s: c["p50_us"]["median"] for s, c in sides.items()}
    crypto, module = p50["raw"], sides["caas"]["user_us"]["median"]
    transport = trips * p50["shared"]
    rest = p50["caas"] - crypto - module - transport
    return {"softhsm": {"crypto": round(crypto, 1), "token": round(p50["softhsm"] - crypto, 1)},
            "caas": {"crypto": round(crypto, 1), "worker": round(rest, 1),
                     "transport": round(transport, 1), "module": round(module, 1)}}


def table(result):
    body = []
    for key, r in result.items():
        for side, name in (("softhsm", "SoftHSM2 in-process"), ("caas", "CaaS")):
            body.append([f"{key}, {name}"] +
                        [f"{r[side][x]:,.1f}" if x in r[side] else "" for x in LAYERS] +
                        [f"{sum(r[side].values()):,.1f}",
                         f"{r['sides']['caas, two']['p50_us']['median']:,.1f}"
                         if side == "caas" else ""])
    trips = "; ".join(f"{key}: {r['trips']:g} round trips of {r['ask']} bytes and {r['answer']} "
                      "back" for key, r in result.items())
    return [f"Microseconds, p50 of one thread, all on one processor; in the last column with two. "
            f"{trips}.", ""] + rows(["", *LAYERS.values(), "all", "two processors"], body)


def charts(result):
    data = [(f"{key}, {name}", [(x, r[side][x]) for x in LAYERS if x in r[side]])
            for key, r in result.items()
            for side, name in (("softhsm", "SoftHSM2"), ("caas", "CaaS"))]
    return {"layers.svg": svg.stacked("Where a signature's time goes, us", data, LAYERS, "us")}

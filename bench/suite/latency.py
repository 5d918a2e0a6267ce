"""The smallest remote calls, beside a bare socket's ping-pong of the same sizes."""
from . import relay
from .bars import Bar, number, rows
from .lab import say
from .stats import columns, interleaved, ratio

TITLE = "The smallest remote call"
CALLS = {"none": "C_GetSessionInfo", "random": "C_GenerateRandom, 1 byte",
         "seed": "C_SeedRandom, 1 byte"}
ALWAYS = "random"  # what nobody can know before is always asked
REMOTE = {"none": {"CAAS_VSM_SHORTCUTS": "off"}}  # else the module answers most of them itself
PINNED = ", one processor"


def run(lab, opt):
    say("  latency")
    size = relay.per_operation(lab, ALWAYS)
    sides = {f"caas {k}": lambda k=k: lab.bench("caas", k, 1, opt.seconds, env=REMOTE.get(k))
             for k in CALLS}
    sides["p11kit none"] = lambda: lab.bench("p11kit", "none", 1, opt.seconds)
    sides["echo"] = lambda: lab.echo(size["ask"], size["answer"], opt.seconds)
    sides["shared"] = lambda: lab.echo(size["ask"], size["answer"], opt.seconds, True)
    for s in (f"caas {ALWAYS}", "echo", "shared"):
        sides[s + PINNED] = lambda run=sides[s]: pinned(lab, run)
    runs = interleaved(sides, opt.rounds)
    p50 = {s: [r["p50_us"] for r in v] for s, v in runs.items()}
    return {"ask": size["ask"], "answer": size["answer"],
            "sides": {s: columns(v, "p50_us", "p99_us", "user_us", "system_us")
                      for s, v in runs.items()},
            "ratios": {s: ratio(p50[s], p50["echo" + (PINNED if PINNED in s else "")])
                       for s in p50 if not s.startswith("echo")}}


def pinned(lab, measure):
    with lab.one_processor():
        return measure()


def bars(result):
    return [Bar(f"{CALLS[ALWAYS]}, p50, to a bare socket's ping-pong{where}",
                result["ratios"].get(f"caas {ALWAYS}{where}"), 2.0, least=False)
            for where in ("", PINNED)]


def table(result):
    sizes = f"{result['ask']} bytes and {result['answer']} back"
    names = {"echo": f"bare unix socket, {sizes}", "shared": f"bare shared memory, {sizes}",
             "p11kit none": f"p11-kit, {CALLS['none']}",
             **{f"caas {k}": f"CaaS, {v}" for k, v in CALLS.items()}}
    names |= {s + PINNED: names[s] + PINNED for s in ("echo", "shared", f"caas {ALWAYS}")}
    return ["One thread, microseconds. On two processors a message wakes an idle one, which "
            "takes longer than all the rest: the last rows are without that.", ""] + rows(
        ["", "p50", "p99", "caller's user time", "to the socket"],
        [[names[s], number(c["p50_us"], 1), number(c["p99_us"], 1), number(c["user_us"], 1),
          number(result["ratios"].get(s), 2)] for s, c in result["sides"].items()])

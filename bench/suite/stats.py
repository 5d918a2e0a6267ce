"""Repetitions in turn (A B A B), their median and spread."""
import statistics


def interleaved(sides, rounds, say=None):
    """sides: {name: function}.  {name: [result of each round]}; a side that returns None
    cannot do it, and is not asked again."""
    out = {name: [] for name in sides}
    gone = set()
    for n in range(rounds):
        for name, run in sides.items():
            if name in gone:
                continue
            got = run()
            if got is None:
                gone.add(name)
                out.pop(name)
                continue
            out[name].append(got)
        if say:
            say(n + 1)
    return out


def spread(values):
    values = [v for v in values if v is not None]
    if not values:
        return None
    return {"median": round(statistics.median(values), 4), "min": round(min(values), 4),
            "max": round(max(values), 4), "n": len(values)}


def columns(runs, *fields):
    """[{field: number}] -> {field: spread}."""
    return {f: spread([r.get(f) for r in runs]) for f in fields}


def ratio(over, under):
    """Median and spread of the ratios of each round: what drifts hits both sides of one."""
    pairs = [a / b for a, b in zip(over, under) if a and b]
    return spread(pairs)


def ratios(runs, field, pairs):
    """pairs: [(side, side)] -> {"side/side": ratio}."""
    return {f"{a}/{b}": ratio([r[field] for r in runs[a]], [r[field] for r in runs[b]])
            for a, b in pairs if a in runs and b in runs}

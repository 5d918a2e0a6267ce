"""Bar charts as SVG."""
from html import escape

from .lab import NAMES

COLORS = {
    "raw": "#999999", "handoff": "#bbbbbb", "softhsm": "#4477aa", "p11kit": "#ccbb44", "socket": "#ffbbaa",
    "caas": "#ee6677",
    "crypto": "#999999", "token": "#4477aa", "worker": "#ee6677", "transport": "#66ccee",
    "module": "#228833", "client": "#999999", "nginx": "#228833", "vsmd": "#ee6677",
}
LEFT, WIDTH, BAR, GAP = 190, 520, 16, 12


def text(x, y, what, size=12, anchor="start", weight="normal"):
    return (f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{escape(str(what))}</text>')


def rect(x, y, w, h, color):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" fill="{color}"/>'


def line(x1, x2, y):
    return f'<path d="M{x1:.1f} {y:.1f}H{x2:.1f}" stroke="#222222"/>'


def page(title, legend, body, height):
    x, head = LEFT, []
    for name, label in legend.items():
        head += [rect(x, 26, 10, 10, COLORS[name]), text(x + 14, 35, label, 11)]
        x += 30 + 6.2 * len(label)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 90}" '
            f'height="{height:.0f}" font-family="sans-serif">\n'
            '<rect width="100%" height="100%" fill="white"/>\n' +
            "\n".join([text(8, 18, title, weight="bold"), *head, *body]) + "\n</svg>\n")


def bars(title, data):
    """data: [(group, [(series, spread)])]: a bar to the median, a line from least to most."""
    top = max((s["max"] for _, series in data for _, s in series), default=1) or 1
    y, body = 48, []
    for group, series in data:
        body.append(text(LEFT - 8, y + 12, group, anchor="end"))
        for name, s in series:
            w = max(1.0, s["median"] / top * WIDTH)
            body += [rect(LEFT, y, w, BAR - 2, COLORS[name]),
                     line(LEFT + s["min"] / top * WIDTH, LEFT + s["max"] / top * WIDTH, y + 7),
                     text(LEFT + s["max"] / top * WIDTH + 5, y + 11, f"{s['median']:,.0f}", 10)]
            y += BAR
        y += GAP
    series = dict.fromkeys(n for _, group in data for n, _ in group)
    return page(title, {n: NAMES[n] for n in series}, body, y)


def stacked(title, data, legend, unit):
    """data: [(group, [(part, number)])]: one bar for each group."""
    top = max((sum(max(v, 0) for _, v in parts) for _, parts in data), default=1) or 1
    y, body = 48, []
    for group, parts in data:
        x = LEFT
        body.append(text(LEFT - 8, y + 15, group, 11, anchor="end"))
        for name, v in parts:
            w = max(v, 0) / top * WIDTH
            body.append(rect(x, y, w, 22, COLORS[name]))
            if w > 34:
                body.append(text(x + w / 2, y + 15, f"{v:,.0f}" if v >= 10 else f"{v:.1f}", 10,
                                 "middle"))
            x += w
        body.append(text(x + 5, y + 15, f"{sum(v for _, v in parts):,.1f} {unit}", 10))
        y += 22 + GAP
    return page(title, legend, body, y)

"""What scripts/bench does: one benchmark per file, the common parts beside them.

main.py      options, order, what is written
lab.py       SoftHSM2, p11-kit and vsmd, started as they are needed
big.py       a token with many objects, the same in SoftHSM2 and in vsmd
relay.py     round trips, counted between guest and vsmd
procs.py     memory and processor time of process groups
stats.py     repetitions in turn, medians, spread, ratios
bars.py      a ratio and what it should be
render.py    results.json -> the marked parts of the Markdown files
charts.py    SVG
host.py      which machine, which versions

A benchmark is a module with TITLE, run(lab, opt) -> what results.json keeps,
table(result) -> lines of Markdown, and where there are any bars(result) -> [Bar] and
charts(result) -> {file name: SVG}.
"""

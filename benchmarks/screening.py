"""How many bad raters the screening finds, and how many honest ones it blames, in projects that are made up.

Every row is many projects of one plan (annotation/agreement/simulate.py). The first is that of the limits: 20 raters, a
fifth of them bad, 40 clips each beside gold (10 %) and repeats (5 %), 3 raters a clip, an honest spread of 0.7 level.
The others change one thing: which kind is bad, material of one quality, careless honest raters, few clips, small teams,
no gold. Bad raters are no faster than honest ones but in one row.

    python -m benchmarks --only screening
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from annotation.agreement.screening import screen
from annotation.agreement.simulate import KINDS, Plan, simulate
from benchmarks._findings import Cell, Findings, Limit, Table, versions
from dataset_builder.intervals import wilson

SEEDS, QUICK_SEEDS = 200, 2
FOUND, BLAMED = 0.95, 0.05
USUAL = Plan()
PLANS: dict[str, Plan] = {
    "one of each kind": USUAL,
    **{f"four {kind}": replace(USUAL, bad=(kind,) * 4) for kind in KINDS},
    "no gold, no repeats": replace(USUAL, gold=0, repeats=0),
    "20 clips each": replace(USUAL, clips_each=20),
    "honest spread of 1 level": replace(USUAL, spread=1.0),
    "clips of like quality (std 0.8 level)": replace(USUAL, material=0.8),
    "3 raters of all clips, one random": Plan(raters=3, bad=("random",), clips_each=60),
    "a third bad": replace(USUAL, raters=12),
    "bad ones in haste": replace(USUAL, hurried=True),
    "all honest": replace(USUAL, bad=()),
}
LIMITED = tuple(PLANS)[:5]


def run(*, quick: bool) -> Findings:
    """Screen all projects of all plans."""
    seeds = QUICK_SEEDS if quick else SEEDS
    rows = {name: measured(plan, seeds) for name, plan in PLANS.items()}
    limits = []
    for name in LIMITED:
        found, blamed = (float(str(rows[name][key])) for key in ("found", "blamed"))
        limits.append(Limit(f"bad raters found: {name}", found, FOUND, "", least=True))
        limits.append(Limit(f"honest raters blamed: {name}", blamed, BLAMED, ""))
    table = [{"plan": name, **row} for name, row in rows.items()]
    return Findings([Table(f"{seeds} projects of each plan", table)], limits, {"versions": versions("numpy", "scipy")})


def measured(plan: Plan, seeds: int) -> dict[str, Cell]:
    """Screen the projects of one plan."""
    there: Counter[str] = Counter()
    out: Counter[str] = Counter()
    unjudged = 0
    for seed in range(seeds):
        made = simulate(seed, plan)
        for rater in screen(made.answers):
            kind = made.bad.get(rater.rater, "honest")
            there[kind] += 1
            out[kind] += rater.state == "excluded"
            unjudged += rater.state == "not judged"
    bad, found = there.total() - there["honest"], out.total() - out["honest"]
    return {
        "found": found / bad if bad else None,
        "at least (95 %)": wilson(found, bad)[0] if bad else None,
        "blamed": out["honest"] / there["honest"],
        "at most (95 %)": wilson(out["honest"], there["honest"])[1],
        "bad raters": bad,
        "honest raters": there["honest"],
        "not judged": unjudged,
    }

"""Measure speed and memory beside what bounds them: `python -m benchmarks [--only NAME] [--quick] [--json]`.

Every benchmark runs in a process of its own. What all of them find, with the machine and versions, is kept in
docs/benchmarks.json; once that holds all of them, docs/benchmarks.md is written from it. With
`--only` the others keep what they found before. `--quick` measures just enough to show that all works, and keeps to
build/quick. Exit code 1: a benchmark failed. A limit that does not hold is told, and is no failure.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
from pathlib import Path

import msgspec

import benchmarks
from benchmarks._findings import ROOT, Cell, Findings, Limit, machine
from dataset_builder.progress import tracker
from schemas.plugins import plugin_names

HEAD = """\
# Benchmarks

`make bench` writes this page: all of it is measured, nothing is edited. Figures of one table come from one run, so they
may be compared with each other; each part names the machine of its run. Where a row of another beats ours, it stands.
"""


class Section(msgspec.Struct, frozen=True):
    """One benchmark: what its file says of it, what it found and on which machine; `failed` is why it found nothing."""

    about: str
    machine: dict[str, str]
    findings: Findings | None
    failed: str = ""


def main() -> None:
    """Run benchmarks and write what they find."""
    names = plugin_names(benchmarks)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--quick", action="store_true", help="seconds each: shows that it works, and no more")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON instead of tables")
    parser.add_argument("--out", type=Path, default=ROOT, help="the folder above docs and build")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        print(msgspec.json.encode(measured(given.only[0], quick=given.quick), enc_hook=float).decode())  # of numpy
        return
    kept = given.out / ("build/quick" if given.quick else "docs") / "benchmarks.json"
    sections = {name: section for name, section in read(kept).items() if name in names}
    asked = given.only or names
    with tracker() as track:
        advance = track("benchmarks", len(asked))
        for name in asked:
            print(f"{name} ...", file=sys.stderr)
            sections[name] = in_its_process(name, quick=given.quick)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(msgspec.json.format(msgspec.json.encode(sections)) + b"\n")
            advance()
    found = {name: sections[name] for name in asked}
    print(msgspec.json.encode(found).decode() if given.json else page(found))
    if sections.keys() == set(names) and not any(section.failed for section in sections.values()):
        written = kept.with_suffix(".md")
        written.write_text(HEAD + page({name: sections[name] for name in names}), encoding="utf-8")
        print(f"wrote {written}", file=sys.stderr)
    failed = [name for name in asked if sections[name].failed]
    for name in failed:
        print(f"{name} failed: {sections[name].failed}", file=sys.stderr)
    sys.exit(1 if failed else 0)


def measured(name: str, *, quick: bool) -> Section:
    """Run one benchmark here."""
    module = importlib.import_module(f"benchmarks.{name}")
    about = (module.__doc__ or name).strip().splitlines()[0]
    return Section(about, machine(), module.run(quick=quick))


def in_its_process(name: str, *, quick: bool) -> Section:
    """Run one benchmark in a process of its own; what it says beside its findings goes to standard error."""
    arguments = [sys.executable, "-m", "benchmarks", "--inside", "--only", name, *(["--quick"] if quick else [])]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT, check=False)
    try:
        return msgspec.json.decode(done.stdout.rstrip().rpartition("\n")[2], type=Section)
    except msgspec.DecodeError:
        said = done.stderr.strip().splitlines() or ["nothing was said"]
        return Section(name, machine(), None, f"exit code {done.returncode}: {said[-1]}")


def read(path: Path) -> dict[str, Section]:
    """Read what was found before, if it can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Section])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def page(sections: dict[str, Section]) -> str:
    """Write findings as Markdown: first all limits, then benchmark by benchmark."""
    limits = [(name, limit) for name, section in sections.items() for limit in _limits(section)]
    lines = ["", "## Limits", "", *_table([_limit_row(name, limit) for name, limit in limits])] if limits else []
    for name, section in sections.items():
        lines += ["", f"## {name}", "", section.about, ""]
        if section.findings is None:
            lines += [f"**Failed:** {section.failed}"]
            continue
        told = {**section.machine, **section.findings.setup}
        lines += [f"- {key}: {value}" for key, value in told.items()]
        for table in section.findings.tables:
            lines += ["", f"**{table.title}**", "", *_table(table.rows)]
    return "\n".join(lines) + "\n"


def _limits(section: Section) -> list[Limit]:
    return section.findings.limits if section.findings else []


def _limit_row(name: str, limit: Limit) -> dict[str, Cell]:
    holds = {True: "yes", False: "**no**", None: "not measured"}[limit.holds]
    return {
        "benchmark": name,
        "what": limit.what,
        "measured": limit.measured,
        "limit": f"{'≥' if limit.least else '≤'} {limit.limit:g} {limit.unit}".rstrip(),
        "holds": holds + (f" ({limit.note})" if limit.note else ""),
    }


def _table(rows: list[dict[str, Cell]]) -> list[str]:
    if not rows:
        return ["(no rows)"]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    numbers = [all(_is_number(row.get(column)) or row.get(column) is None for row in rows) for column in columns]
    return [
        f"| {' | '.join(columns)} |",
        f"|{'|'.join('---:' if number else '---' for number in numbers)}|",
        *(f"| {' | '.join(_cell(row.get(column)) for column in columns)} |" for row in rows),
    ]


def _is_number(value: Cell) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Cell) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value).replace("|", "\\|")


if __name__ == "__main__":
    main()

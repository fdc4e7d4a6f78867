"""The page of benchmarks, and that each benchmark still runs."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import benchmarks
from benchmarks.__main__ import HEAD, Section, page, read
from benchmarks._findings import Findings, Limit, Table, in_a_process, interleaved, machine, peak_kb, version
from schemas.plugins import load_plugin, plugin_names

ROOT = Path(__file__).parents[1]
FOUND = Findings(
    [
        Table(
            "reading",
            [
                {"who": "ours", "ratio": 1.234, "MB": 188.4, "exact": True},
                {"who": "a|b", "ratio": None, "remark": "not installed: pip install a"},
                {"who": "best", "ratio": 0.9, "MB": 210, "exact": False},
            ],
        )
    ],
    [
        Limit("ratio", 1.234, 1.25, "×"),
        Limit("memory", 300.0, 250.0, "MB"),
        Limit("scaling", 1.9, 1.8, "×", least=True),
        Limit("two GPUs", None, 1.0, "s", note="no GPU here"),
    ],
    {"versions": "av 18.1.0"},
)


@pytest.mark.parametrize("name", plugin_names(benchmarks))
def test_each_file_is_a_benchmark(name: str) -> None:
    module = load_plugin(benchmarks, name)
    assert (module.__doc__ or "").strip().splitlines()[0].endswith((".", ":"))
    assert str(inspect.signature(module.run)).startswith("(*, quick: ")


def test_what_is_no_benchmark_is_not_run() -> None:
    assert {"_findings", "__main__"}.isdisjoint(plugin_names(benchmarks))
    assert {"distortions", "engine", "passport", "validation"} <= set(plugin_names(benchmarks))


def test_the_page_shows_limits_machines_and_every_row() -> None:
    text = page({"reading": Section("What reading costs.", {"CPU": "2 cores of X"}, FOUND)})
    assert "| reading | ratio | 1.23 | ≤ 1.25 × | yes |" in text
    assert "| reading | memory | 300 | ≤ 250 MB | **no** |" in text
    assert "| reading | scaling | 1.9 | ≥ 1.8 × | yes |" in text
    assert "| reading | two GPUs | – | ≤ 1 s | not measured (no GPU here) |" in text
    assert "- CPU: 2 cores of X\n- versions: av 18.1.0" in text
    assert "| who | ratio | MB | exact | remark |\n|---|---:|---:|---|---|" in text
    assert "| ours | 1.23 | 188 | yes | – |" in text
    assert "| a\\|b | – | – | – | not installed: pip install a |" in text
    assert "| best | 0.9 | 210 | no | – |" in text


def test_a_failed_benchmark_is_told_as_such() -> None:
    text = page({"engine": Section("What it costs.", {}, None, "exit code 1: boom")})
    assert "**Failed:** exit code 1: boom" in text


def test_work_is_interleaved() -> None:
    order: list[str] = []

    def named(name: str) -> int:
        order.append(name)
        return len(order)

    assert interleaved(2, [lambda: named("a"), lambda: named("b")]) == [[1, 3], [2, 4]]
    assert order == ["a", "b", "a", "b"]


def test_a_process_of_its_own_gives_its_own_peak_and_its_error() -> None:
    grown = bytearray(200_000_000)
    assert peak_kb() > len(grown) / 1100
    assert in_a_process("_findings", "peak_kb") < 100_000
    with pytest.raises(RuntimeError, match=r"_findings\.version: TypeError"):
        in_a_process("_findings", "version")


def test_the_machine_is_named() -> None:
    assert machine().keys() == {"CPU", "memory", "system", "Python"}
    assert version("no-such-distribution") is None


def run_them(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)


def test_an_unknown_benchmark_is_a_wrong_call() -> None:
    done = run_them("--only", "nothing")
    assert done.returncode == 2
    assert "invalid choice: 'nothing'" in done.stderr


@pytest.mark.full
def test_every_benchmark_runs(tmp_path: Path) -> None:
    done = run_them("--quick", "--json", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    names = plugin_names(benchmarks)
    assert sorted(json.loads(done.stdout)) == names
    kept = read(tmp_path / "build" / "quick" / "benchmarks.json")
    assert sorted(kept) == names
    assert all(section.findings and section.findings.tables for section in kept.values())
    written = (tmp_path / "build" / "quick" / "benchmarks.md").read_text(encoding="utf-8")
    assert all(f"\n## {name}\n" in written for name in names)
    assert not (tmp_path / "docs").exists()


def test_the_page_in_docs_is_what_was_found() -> None:
    found = read(ROOT / "docs" / "benchmarks.json")
    assert sorted(found) == plugin_names(benchmarks)
    assert (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8") == HEAD + page(
        {name: found[name] for name in plugin_names(benchmarks)}
    )

"""The card of a corpus: its numbers are those of the corpus, and its header is what the Hub reads."""

import re
from collections import Counter
from pathlib import Path

import msgspec
import pytest
import yaml
from huggingface_hub import DatasetCard, DatasetCardData
from PIL import Image

from dataset_builder.build import build
from dataset_builder.card import Published, card
from dataset_builder.charts import bar_chart
from dataset_builder.corpus import CARD, read_manifest, read_records, read_samples
from dataset_builder.quarantine import by_reason
from schemas.licence import Terms
from schemas.manifest import Manifest, Quarantined
from schemas.notes import AgreementNote, LedgerNote, Notes
from schemas.pair import Acceptance
from schemas.recipe import BuildRecipe, load
from schemas.validate import read_jsonl

CONFIGS = ["stage1", "stage2-ugc", "stage2-streaming", "stage3", "stage3-mix"]


@pytest.fixture
def manifest(built_once: Path) -> Manifest:
    return read_manifest(built_once)


def row(text: str, first: str) -> list[str]:
    """The cells of the table row that begins with a cell."""
    (line,) = re.findall(rf"^\| {re.escape(first)} \|(.*)\|$", text, re.MULTILINE)
    return [cell.strip() for cell in line.split("|")]


def test_the_header_parses_and_declares_every_config(built_once: Path) -> None:
    loaded = DatasetCard.load(built_once / CARD)
    assert isinstance(loaded.data, DatasetCardData)
    plain = yaml.safe_load(loaded.data.to_yaml())
    assert [config["config_name"] for config in plain["configs"]] == CONFIGS
    assert [info["config_name"] for info in plain["dataset_info"]] == CONFIGS
    assert plain["pretty_name"] == "own"
    assert plain["size_categories"] == ["n<1K"]
    assert plain["license"] == "other"


def test_counts_are_those_of_the_samples(built_once: Path) -> None:
    text = (built_once / CARD).read_text(encoding="utf-8")
    for config in CONFIGS:
        rows = [located.sample for located in read_samples(built_once, config)]
        splits = {split: len(list(read_samples(built_once, config, split))) for split in ("train", "val", "test")}
        counts = re.findall(rf"^\| `{config}` \|(.*)\|$", text, re.MULTILINE)
        assert [cell.strip() for cell in counts[0].split("|")] == [str(n) for n in (*splits.values(), len(rows))]
    families = Counter(s.sample.provenance.family for s in read_samples(built_once, "stage3"))
    head = re.findall(r"^\| config \| (causal.*) \|$", text, re.MULTILINE)[0].split(" | ")
    told = re.findall(r"^\| `stage3` \|(.*)\|$", text, re.MULTILINE)[1].split("|")
    assert {name: int(n) for name, n in zip(head, told, strict=True)} == families


def test_pictures_show_the_levels(built_once: Path) -> None:
    text = (built_once / CARD).read_text(encoding="utf-8")
    named = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert named == [f"notes/levels-{config}.png" for config in ("stage2-ugc", "stage2-streaming", "stage3-mix")]
    for name in named:
        with Image.open(built_once / name) as picture:
            assert picture.size == (720, 320)
            assert len(picture.getcolors(1 << 20) or []) > 10


def test_a_chart_is_as_tall_as_its_counts() -> None:
    def height(picture: Image.Image, x: int) -> int:
        return sum(picture.getpixel((x, y)) == (46, 105, 178) for y in range(picture.height))

    chart = bar_chart("t", {"a": 100, "b": 50, "c": 0})
    a, b, c = (height(chart, x) for x in (136, 360, 584))
    assert a > 100
    assert b == pytest.approx(a / 2, abs=1)
    assert c <= 1
    assert chart.tobytes() == bar_chart("t", {"a": 100, "b": 50, "c": 0}).tobytes()


def test_quarantine_is_told_by_reason(built_once: Path, manifest: Manifest) -> None:
    rows = [found for _, found in read_jsonl(built_once / "quarantine.jsonl", Quarantined)]
    reasons = by_reason(found for found in rows if isinstance(found, Quarantined))
    assert sum(reasons.values()) == len(rows) == manifest.quarantined
    assert manifest.reasons == reasons
    assert reasons["no readable video or picture (Invalid data found when processing input)"] == 2
    assert not [reason for reason in reasons if "phone" in reason or "häse" in reason]
    assert f"{len(rows)} inputs gave no sample" in (built_once / CARD).read_text(encoding="utf-8")


def test_a_limit_of_the_machine_is_a_reason_of_its_own() -> None:
    plain = Quarantined(source="s", file="a.mp4", row=1, field=None, reason="'a.mp4' took above 600 s: try again")
    rows = [plain, msgspec.structs.replace(plain, transient=True), msgspec.structs.replace(plain, reason="b.mp4: x")]
    assert by_reason(rows) == {"x": 1, "… took above … s": 1, "… took above … s (a limit of the machine)": 1}


def test_sources_tell_licence_terms_and_where_to_get_them(own_folder: Path, tmp_path: Path) -> None:
    recipe = own_folder / "recipe.yaml"
    told = "homepage: https://clips.example.org\n    citation: A. Uthor, Clips, 2026\n    terms: {commercial: false}\n"
    recipe.write_text(recipe.read_text().replace("    columns:", f"    {told}    columns:"))
    corpus = build(load(recipe, BuildRecipe), recipe, tmp_path / "corpus").folder
    text = (corpus / CARD).read_text(encoding="utf-8")
    first, second, _ = re.findall(r"^\| `mine` \|.*$", text, re.MULTILINE)
    assert "[your own table](https://clips.example.org) | 3 | private | A. Uthor, Clips, 2026 |" in first
    assert second == "| `mine` | not known | not known | no | not known | not known |"
    assert {record.terms for record in read_records(corpus)} == {Terms(commercial=False)}
    assert read_manifest(corpus).terms == Terms(commercial=False)


def test_a_published_card_says_where_and_how(manifest: Manifest) -> None:
    with_clips = card(manifest, Notes(), Published("lab/own", "v1.2.0", "folders"))
    assert 'load_dataset("lab/own", "stage1", revision="v1.2.0")' in with_clips
    assert "vqa2 pull lab/own@v1.2.0" in with_clips
    assert "not** here" not in with_clips
    without = card(manifest, Notes(), Published("lab/own", "v1.2.0", "reference"))
    assert "The clips are **not** here" in without
    assert "vqa2 regenerate" in without
    referring = msgspec.structs.replace(manifest, media="reference")
    assert "--media-root" in card(referring, Notes(), Published("lab/own", "v1.2.0", "reference"))
    assert "WebDataset" in card(manifest, Notes(), Published("lab/own", "v1.2.0", "tars"))


def test_raters_generators_and_limits_are_told(manifest: Manifest) -> None:
    assert manifest.pairs is not None
    kept = Acceptance(
        of="template:quality-centric",
        pairs=40,
        accepted=30,
        edited=6,
        rejected=4,
        undecided=0,
        accepted_95=(0.6, 0.86),
        kept_95=(0.77, 0.96),
    )
    reviewed = msgspec.structs.replace(
        manifest, pairs=msgspec.structs.replace(manifest.pairs, acceptance=[kept]), remarks=["row 3 | <b>odd</b>"]
    )
    notes = Notes(
        agreement=[
            AgreementNote(
                source="mine",
                project="p",
                kind="depict",
                raters=9,
                excluded=2,
                annotations=70,
                level_alpha=0.713,
                level_alpha_95=(0.6, 0.8),
            )
        ],
        ledgers=[
            LedgerNote(
                source="mine",
                requests=70,
                answered=69,
                input_tokens=1,
                output_tokens=2,
                spent="1.25",
                held="0",
                models={"gpt-x": 70},
            )
        ],
    )
    text = card(reviewed, notes)
    assert row(text, "`template:quality-centric`") == ["6", "90% of 40 kept (77% to 96%)"]
    assert row(text, "`template:causal-analysis`") == ["2", "not reviewed"]
    assert "| `mine` | p | depict | 9 (2 excluded) | 70 | 0.71 (0.60 to 0.80) |" in text
    assert "gpt-x (70 requests); 1.25 dollars" in text
    assert "No person has reviewed" not in text
    assert "No person has reviewed" in card(manifest, Notes())
    assert r"- row 3 \| \<b\>odd\</b\>" in text


def test_a_licence_that_the_hub_knows_is_its_tag(manifest: Manifest) -> None:
    source = manifest.sources[0]

    def licence(*names: str) -> object:
        sources = [msgspec.structs.replace(source, licence=name) for name in names]
        text = card(msgspec.structs.replace(manifest, sources=sources), Notes())
        return yaml.safe_load(text.split("---\n")[1])["license"]

    assert licence("CC-BY-4.0") == "cc-by-4.0"
    assert licence("MIT", "CC-BY-SA-4.0") == ["cc-by-sa-4.0", "mit"]
    assert licence("MIT", "LIVE copyright notice") == "other"

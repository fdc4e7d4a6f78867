"""The dataset card of a corpus folder: what is in it, how it was built, what it may be used for, how it loads.

The card is made of the manifest and the notes alone, so the same corpus has the same card. Once published it also says
where: repository, tag, and how the clips come along.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dataset_builder.charts import bar_chart
from dataset_builder.corpus import CARD
from dataset_builder.features import features
from dataset_builder.notes import FOLDER
from dataset_builder.telling import ANSWER, SCALE_RULE, TERMS, TERMS_RULE, generators, limits
from schemas.levels import LEVELS
from schemas.licence import Terms
from schemas.manifest import ConfigCount, Manifest, SourceNote
from schemas.notes import Notes
from schemas.record import SPLITS

SHOWN = 20
"""How many remarks and kinds of quarantine a card tells."""
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
HUB_LICENCES = frozenset(
    {"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "isc", "unlicense", "cc0-1.0"}
    | {f"cc-by-{version}" for version in ("2.0", "2.5", "3.0", "4.0")}
    | {f"cc-by-nc-{version}" for version in ("2.0", "3.0", "4.0")}
    | {f"cc-by-{kind}-{version}" for kind in ("sa", "nc-nd", "nc-sa") for version in ("3.0", "4.0")}
    | {"cc-by-nc-sa-2.0", "cc-by-nd-4.0"}
)
"""Identifiers of licences that the Hub knows: https://huggingface.co/docs/hub/repositories-licenses."""


@dataclass(frozen=True)
class Published:
    """Where a corpus is published: repository, tag, and whether its clips are there: in `folders`, `tars` or not."""

    repo: str
    tag: str
    clips: str


def write_card(corpus: Path, manifest: Manifest, notes: Notes, published: Published | None = None) -> None:
    """Write the card and its pictures into a corpus folder."""
    for config, count in manifest.configs.items():
        if count.levels:
            path = corpus / _picture(config)
            path.parent.mkdir(exist_ok=True)
            levels = {level: count.levels.get(level, 0) for level in LEVELS}
            bar_chart(f"{config}: samples by level", levels).save(path, "PNG")
    (corpus / CARD).write_text(card(manifest, notes, published), encoding="utf-8")


def card(manifest: Manifest, notes: Notes, published: Published | None = None) -> str:
    """Write the card: a YAML header with the configs and their features, then what a reader wants to know."""
    sections = (
        ("", _what(manifest)),
        ("Loading", _loading(manifest, published)),
        ("Contents", _contents(manifest)),
        ("Sources", _sources(manifest)),
        ("What it may be used for", _terms(manifest)),
        ("How it was built", _how(manifest)),
        ("Annotators", _annotators(notes)),
        ("Generated text", _generators(manifest, notes)),
        ("Known limits", _limits(manifest)),
        ("Left out", _quarantine(manifest)),
        ("Citation", _citation(manifest)),
    )
    header = yaml.safe_dump(_header(manifest), sort_keys=False, allow_unicode=True)
    text = "\n\n".join(f"## {title}\n\n{body}" if title else body for title, body in sections if body)
    return f"---\n{header}---\n\n# {_plain(manifest.name)}\n\n{text}\n"


def _header(manifest: Manifest) -> dict[str, Any]:
    total = sum(sum(count.splits.values()) for count in manifest.configs.values())
    return {
        "pretty_name": manifest.name,
        "language": ["en"],
        **_licence(manifest),
        "task_categories": ["video-text-to-text", "visual-question-answering"],
        "tags": ["video-quality-assessment", "vqa2"],
        "size_categories": [next((size for most, size in SIZES if total < most), "1M<n<10M")],
        "configs": [
            {
                "config_name": config,
                "data_files": [
                    {"split": split, "path": f"data/{config}/{split}-*.jsonl"}
                    for split in SPLITS
                    if count.splits.get(split)
                ],
            }
            for config, count in manifest.configs.items()
        ],
        "dataset_info": [{"config_name": config, "features": features()} for config in manifest.configs],
    }


def _licence(manifest: Manifest) -> dict[str, Any]:
    names = sorted({source.licence for source in manifest.sources})
    if names and all(name.lower() in HUB_LICENCES for name in names):
        return {"license": names[0].lower() if len(names) == 1 else [name.lower() for name in names]}
    return {"license": "other", "license_name": "see-sources", "license_link": "README.md#sources"}


def _what(manifest: Manifest) -> str:
    configs = ", ".join(f"`{config}`" for config in manifest.configs)
    return (
        "Instruction samples for **video quality assessment** by large multimodal models, built with vqa2 in the way "
        f"of VQA² (arXiv 2411.03795). {manifest.records:,} clips and images are shown; configs: {configs or 'none'}."
    )


def _loading(manifest: Manifest, published: Published | None) -> str:
    first = next(iter(manifest.configs), "stage2-ugc")
    place = (
        f'"{published.repo}", "{first}", revision="{published.tag}"'
        if published
        else f'"path/to/this/folder", "{first}"'
    )
    lines = ["```python", "from datasets import load_dataset", "", f"samples = load_dataset({place})", "```", ""]
    if published:
        lines += ["```sh", f"vqa2 pull {published.repo}@{published.tag} corpus", "```", ""]
    lines += [
        "`media` of a sample lists its clips by path and sha256. In the text, `<video>` stands for the key frames of a "
        "clip, `<motion>` for its motion features and `<image>` for a still image. `records.jsonl` holds what is known "
        "of every clip, `manifest.json` the recipe and a checksum of every file.",
    ]
    if published and published.clips == "tars":
        lines += ["", "The clips lie in tars (WebDataset) under `media/`; `vqa2 pull` puts each at its path."]
    if _without_clips(manifest, published):
        told = "The clips are **not** here: get them where the table of sources says"
        lines += [
            "",
            f"{told}. Their paths are the set's: `vqa2 check corpus --media-root FOLDER` holds them to their sha256."
            if manifest.media == "reference"
            else f"{told}, then `vqa2 regenerate corpus --clips FOLDER` finds each by its sha256 and renders those "
            "that were made here to the same bytes.",
        ]
    return "\n".join(lines)


def _without_clips(manifest: Manifest, published: Published | None) -> bool:
    return manifest.media != "copy" if published is None else published.clips not in {"folders", "tars"}


def _contents(manifest: Manifest) -> str:
    parts = [_table(["config", *SPLITS, "all"], _splits(manifest.configs))]
    families = sorted({family for count in manifest.configs.values() for family in count.families})
    if families:
        rows = [
            [f"`{config}`", *(f"{count.families.get(family, 0):,}" for family in families)]
            for config, count in manifest.configs.items()
            if count.families
        ]
        parts.append("Pairs by family:\n\n" + _table(["config", *families], rows))
    if any(count.levels for count in manifest.configs.values()):
        parts.append(f"Level words run {', '.join(LEVELS)}.")
        parts += [
            f"![{config}: samples by level]({_picture(config)})" for config, c in manifest.configs.items() if c.levels
        ]
    return "\n\n".join(parts)


def _splits(configs: Mapping[str, ConfigCount]) -> Iterator[list[str]]:
    for config, count in configs.items():
        counts = [count.splits.get(split, 0) for split in SPLITS]
        yield [f"`{config}`", *(f"{n:,}" for n in counts), f"{sum(counts):,}"]


def _sources(manifest: Manifest) -> str:
    def row(source: SourceNote) -> list[str]:
        clips = f"{source.records:,}" + (f" ({source.rendered:,} made from others)" if source.rendered else "")
        home = f"[{source.title}]({source.homepage})" if source.homepage else source.title
        return [f"`{source.name}`", home, clips, source.licence, source.citation]

    return _table(["source", "set, where to get it", "shown", "licence", "cite"], map(row, manifest.sources))


def _terms(manifest: Manifest) -> str:
    def row(name: str, terms: Terms) -> list[str]:
        return [name, *(ANSWER[getattr(terms, word)] for word in TERMS)]

    rows = [row(f"`{source.name}`", source.terms) for source in manifest.sources]
    if len(rows) > 1:
        rows.append(row("**the mix**", manifest.terms))
    return f"{TERMS_RULE}\n\n{_table(['', *TERMS.values()], rows)}"


def _how(manifest: Manifest) -> str:
    scales = [
        [f"`{scale.source}`", scale.mode, f"{scale.lo:g} to {scale.hi:g}", scale.direction.replace("_", " ")]
        for scale in manifest.scales
    ]
    tools = ", ".join(f"{name} {version}" for name, version in sorted(manifest.tools.items()))
    seed, prompts = manifest.recipe.get("seed"), manifest.recipe.get("prompts")
    parts = [
        f"Recipe `{manifest.recipe_sha256}` (in `manifest.json`, with every default written out), seed {seed}, "
        f"{prompts} prompts. Built with {tools}. The same inputs and recipe give the same bytes."
    ]
    if scales:
        parts.append(f"{SCALE_RULE}\n\n" + _table(["source", "range", "lo to hi", "direction"], scales))
    return "\n\n".join(parts)


def _annotators(notes: Notes) -> str:
    rows = [
        [
            f"`{note.source}`",
            _plain(note.project),
            note.kind,
            f"{note.raters} ({note.excluded} excluded)",
            f"{note.annotations:,}",
            _figure(note.level_alpha)
            + (f" ({note.level_alpha_95[0]:.2f} to {note.level_alpha_95[1]:.2f})" if note.level_alpha_95 else ""),
            _figure(note.level_kappa),
            _figure(note.score_icc),
            _figure(note.attributes_f1),
        ]
        for note in notes.agreement
    ]
    head = [
        "source",
        "project",
        "kind",
        "raters",
        "annotations",
        "alpha of levels (95 %)",
        "kappa",
        "ICC(1) of scores",
        "F1 of attributes",
    ]
    return _table(head, rows) if rows else ""


def _generators(manifest: Manifest, notes: Notes) -> str:
    rows = []
    for generator, n, seen in generators(manifest):
        told = "not reviewed"
        if seen:
            low, high = seen.kept_95
            told = f"{(seen.accepted + seen.edited) / seen.pairs:.0%} of {seen.pairs:,} kept ({low:.0%} to {high:.0%})"
        rows.append([f"`{generator}`", f"{n:,}", told])
    parts = [_table(["generator", "samples", "reviewers"], rows)] if rows else []
    for note in notes.ledgers:
        models = ", ".join(f"{model} ({n:,} requests)" for model, n in sorted(note.models.items()))
        parts.append(f"Language models asked for `{note.source}`: {models}; {note.spent} dollars.")
    return "\n\n".join(parts)


def _limits(manifest: Manifest) -> str:
    told = limits(manifest) + manifest.remarks[:SHOWN]
    if len(manifest.remarks) > SHOWN:
        told.append(f"{len(manifest.remarks) - SHOWN:,} more remarks stand in manifest.json.")
    return "\n".join(f"- {_plain(limit)}" for limit in told)


def _quarantine(manifest: Manifest) -> str:
    if not manifest.quarantined:
        return "Nothing: every input gave samples."
    rows = [[_plain(reason), f"{count:,}"] for reason, count in list(manifest.reasons.items())[:SHOWN]]
    more = len(manifest.reasons) - len(rows)
    return (
        f"{manifest.quarantined:,} inputs gave no sample:\n\n"
        + _table(["why", "inputs"], rows)
        + (f"\n\n{more} more reasons stand in `manifest.json`." if more > 0 else "")
    )


def _citation(manifest: Manifest) -> str:
    cited = sorted({source.citation for source in manifest.sources if source.citation})
    ours = "VQA²: Visual Question Answering for Video Quality Assessment, arXiv 2411.03795 (the method)"
    return "\n".join(f"- {one}" for one in [*cited, ours])


def _picture(config: str) -> str:
    return f"{FOLDER}/levels-{config}.png"


def _table(head: list[str], rows: Any) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _plain(text: str) -> str:
    """Write text so that Markdown and HTML take none of it for markup."""
    return " ".join("".join(f"\\{c}" if c in "\\`*_[]<>#|" else c for c in text).split())


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"

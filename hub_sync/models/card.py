"""The card of a model or adapter: what it is, how it is asked, what it was trained on and by, what it reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from huggingface_hub import ModelCardData

from dataset_builder.telling import ANSWER, TERMS
from hub_sync.models.folder import ModelFolder
from hub_sync.models.metrics import OF_TYPE, OVERALL, TITLES, Accuracy, Measured, Result, eval_results
from hub_sync.naming import Name
from schemas.errors import CallError
from schemas.levels import LEVELS
from schemas.licence import Terms, terms_of

OTHER = {"license": "other", "license_name": "see-the-card", "license_link": "README.md#licence-and-terms"}


@dataclass(frozen=True)
class Told:
    """What a card tells besides what the folder says: where it is published, its base and data there, its results.

    `licence` is what the model is published under, None where its owner named none; `terms` are those of the data.
    """

    repo: str
    tag: str
    base: Name | None
    data: Name | None
    terms: Terms | None
    licence: str | None
    results: Sequence[Result]


def held_licence(licence: str | None, terms: Terms | None) -> str | None:
    """Refuse a licence that permits what the data's terms forbid. Raises CallError."""
    if (
        licence is not None
        and terms is not None
        and terms.commercial is False
        and terms_of(licence).commercial is not False
    ):
        raise CallError(
            f"--license {licence}: the model was trained on data that may not be used commercially, and this licence "
            "does not say so; take one that does, such as cc-by-nc-4.0"
        )
    return licence


def card(model: ModelFolder, told: Told) -> str:
    """Write the card: a YAML header, then what a reader wants to know."""
    sections = (
        ("", _what(model, told)),
        ("How to use it", _use(model, told)),
        ("Results", _results(told.results)),
        ("Training data", _data(model, told)),
        ("Licence and terms", _terms(told)),
        ("How it was trained", _training(model)),
        ("Limitations", _limits(model, told)),
        ("Citation", "- VQA²: Visual Question Answering for Video Quality Assessment, arXiv 2411.03795 (the method)"),
    )
    text = "\n\n".join(f"## {title}\n\n{body}" if title else body for title, body in sections if body)
    return f"---\n{_header(model, told).to_yaml()}\n---\n\n# {plain(told.repo.split('/')[1])}\n\n{text}\n"


def _header(model: ModelFolder, told: Told) -> ModelCardData:
    more: dict[str, Any] = {"license": told.licence.lower()} if told.licence else dict(OTHER)
    base = told.base.repo if told.base else None
    if base:
        more["base_model_relation"] = "finetune" if model.adapter is None else "adapter"
    results = eval_results(told.results)
    return ModelCardData(
        library_name="transformers" if model.adapter is None else "peft",
        pipeline_tag="video-text-to-text",
        tags=["video-quality-assessment", "vqa2", *(["lora"] if model.adapter else [])],
        language="en",
        base_model=base,
        datasets=[told.data.repo] if told.data else None,
        model_name=told.repo.split("/")[1] if results else None,
        eval_results=results or None,
        metrics=sorted({result.metric_type for result in results}) or None,
        vqa2={
            "data": str(told.data) if told.data else None,
            "corpus_manifest_sha256": model.manifest_sha256,
            "recipe_sha256": model.training.recipe_sha256,
        },
        **more,
    )


def _what(model: ModelFolder, told: Told) -> str:
    kind = plain(str(model.config.get("model_type") or model.block.preset.get("backbone", "llava-onevision")))
    what = "A model" if model.adapter is None else "Low-rank adapters (PEFT) of a model"
    base = f" It starts from [{told.base.repo}](https://huggingface.co/{told.base.repo})." if told.base else ""
    return (
        f"{what} of the VQA² family (`{kind}`) for **video quality assessment**: it scores videos and images from 0 to "
        f"1, and answers questions about their quality.{base}"
    )


def _use(model: ModelFolder, told: Told) -> str:
    folder = told.repo.split("/")[1]
    lines = ["```sh", f"hf download {told.repo} --revision {told.tag} --local-dir {folder}"]
    if model.adapter is not None and model.block.base is not None and told.base:
        revision = f" --revision {told.base.revision}" if told.base.revision else ""
        lines.append(f"hf download {told.base.repo}{revision} --local-dir {base_place(told.base, told.repo)}")
    lines += [f"vqa2 score {folder} CLIPS", f'vqa2 ask {folder} CLIP "question"', f"vqa2 serve {folder}", "```", ""]
    scoring = model.block.scoring
    words = ", ".join(
        f"{plain(level)} ({weight:g})" for level, weight in zip(scoring.levels, scoring.weights, strict=True)
    )
    lines += [
        f"The score is the mean of the level weights under the probabilities of the next token: {words}. Prompt and "
        "answer's beginning belong to the model, and stand in `vqa2.json`:",
        "",
        "```",
        fenced(scoring.video_prompt),
        "",
        fenced(scoring.video_prefix),
        "```",
    ]
    return "\n".join(lines)


def _results(results: Sequence[Result]) -> str:
    if not results:
        return "Nobody has told any: `vqa2 eval` and `vqa2 benchmark` measure it, `vqa2 push --metrics` tells them."
    tables = [_of_scores([r for r in results if r.values]), _of_questions([r for r in results if r.accuracy])]
    return "\n\n".join([*filter(None, tables), LOCKS])


def _of_scores(results: Sequence[Result]) -> str:
    rows = [
        "| "
        + " | ".join((plain(r.benchmark), TITLES[name], _figure(found), _clips(r), f"`{(r.lock or 'none')[:12]}`"))
        + " |"
        for r in results
        for name, found in r.values.items()
    ]
    return "\n".join(
        ["| benchmark | metric | value (95 %) | clips | lock |", "|---|---|---|---|---|", *rows] if rows else []
    )


def _of_questions(results: Sequence[Result]) -> str:
    rows = [
        "| "
        + " | ".join(
            (
                f"{plain(r.benchmark)}, {plain(r.asked)}",
                plain(group.removeprefix(OF_TYPE)),
                _figure(found.measured),
                _questions(found, r.n_expected if group == OVERALL else found.n),
                f"`{(r.lock or 'none')[:12]}`",
            )
        )
        + " |"
        for r in results
        for group, found in r.accuracy.items()
    ]
    head = ["| benchmark | questions | accuracy (95 %) | n | lock |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows] if rows else [])


LOCKS = "Numbers are comparable where the lock, a hash of clips, scores (or questions) and scales, is the same."


def _figure(found: Measured) -> str:
    if found.value is None:
        return "undefined"
    between = f" ({found.low:.3f} to {found.high:.3f})" if found.low is not None and found.high is not None else ""
    return f"{found.value:.3f}{between}"


def _clips(result: Result) -> str:
    return f"{result.n:,}" if result.complete else f"**{result.n:,} of {result.n_expected:,}**"


def _questions(found: Accuracy, of: int) -> str:
    return f"{found.graded:,}" if found.graded >= of else f"**{found.graded:,} of {of:,}**"


def _data(model: ModelFolder, told: Told) -> str:
    data = model.training.data
    if data is None and model.manifest_sha256 is None:
        return "What it was trained on is not recorded in the model folder."
    name = f" **{plain(data.name)}**" if data else ""
    lines = [f"The corpus{name}, manifest sha256 `{model.manifest_sha256}`."]
    if told.data:
        repo, tag = told.data.repo, told.data.revision
        lines.append(
            f"It is published as [{told.data}](https://huggingface.co/datasets/{repo}/tree/{tag}): "
            f"`vqa2 pull {told.data}` gets it."
        )
    else:
        lines.append("Whether and where it is published is not recorded.")
    return "\n".join(lines)


def _terms(told: Told) -> str:
    lines = [
        f"Published under `{plain(told.licence)}`." if told.licence else "Its owner has named no licence for the model."
    ]
    terms = told.terms
    if terms is None:
        lines.append("The terms of the data that it was trained on are not recorded.")
        return "\n".join(lines)
    if terms.commercial is False:
        lines.append("**It was trained on data that may not be used commercially.**")
    asked = [f"| {words} | {ANSWER[getattr(terms, key)]} |" for key, words in TERMS.items()]
    return "\n".join([*lines, "", "| the terms of its data | |", "|---|---|", *asked])


def _training(model: ModelFolder) -> str:
    training = model.training
    if not training.stages:
        return ""
    rows = []
    for stage in training.stages:
        loss = [stage.get(key) for key in ("loss_first_tenth", "loss_last_tenth")]
        told = " to ".join(f"{value:.3f}" for value in loss if isinstance(value, int | float))
        cells = (str(stage.get("name", "")), f"{stage.get('samples', 0):,}", f"{stage.get('steps', 0):,}", told)
        rows.append("| " + " | ".join(map(plain, cells)) + " |")
    tools = ", ".join(f"{name} {version}" for name, version in sorted(training.tools.items()))
    preset = str(training.recipe.get("preset", "")).rsplit("/", maxsplit=1)[-1]
    return "\n".join(
        [
            f"Recipe `{training.recipe_sha256}`, preset `{plain(preset)}`, seed {training.recipe.get('seed')}; "
            f"with {plain(tools)}. `training.json` holds every setting; of absolute paths, names alone.",
            "",
            "| stage | samples | steps | loss, first to last tenth |",
            "|---|---|---|---|",
            *rows,
        ]
    )


def _limits(model: ModelFolder, told: Told) -> str:
    limits = [
        "Scores order clips as the opinions that it was trained on do; on other contents and devices they may not.",
        "Answers in words are generated, and may be wrong.",
    ]
    if list(model.block.scoring.levels) != list(LEVELS):
        limits.append("Its level words are its own: scores of it and of other models are not the same scale.")
    if not told.results:
        limits.append("It comes without measured results.")
    if any(not result.complete for result in told.results):
        limits.append(
            "Some results leave out clips or questions without a score or grade; they are none of the benchmark."
        )
    if told.terms is not None and told.terms.commercial is None:
        limits.append("Whether its data permit commercial use is not known.")
    return "\n".join(f"- {limit}" for limit in limits)


def base_place(base: Name, repo: str) -> str:
    """Name the folder that the base of adapters is downloaded to, beside theirs, called as their repository."""
    name = base.repo.split("/")[1]
    return f"{name}-base" if name == repo.split("/")[1] else name


def plain(text: str) -> str:
    """Write text so that Markdown and HTML take none of it for markup."""
    return " ".join("".join(f"\\{c}" if c in "\\`*[]<>#|" else c for c in text).split())


def fenced(text: str) -> str:
    """Write text for a fenced block, which it must not end."""
    return text.replace("```", "'''")

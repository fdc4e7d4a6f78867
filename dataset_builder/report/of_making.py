"""Sections on how a corpus was made: raters, reviewers, language models and their cost, sources, limits, recipe."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

import yaml

from dataset_builder.report.markup import Html, bars, code, link, percent, table, tag
from dataset_builder.report.plots import intervals
from dataset_builder.telling import ANSWER, TERMS, TERMS_RULE, generators, limits
from schemas.licence import Terms
from schemas.manifest import Manifest
from schemas.notes import AgreementNote, LedgerNote, Notes
from schemas.pair import Acceptance

REASONS, REMARKS = 40, 40
"""How many reasons of quarantine and remarks are listed."""
_COLOUR = {True: "yes", False: "no", None: "unknown"}


def raters(notes: Notes) -> list[Html]:
    """Tell how far the raters of each project agree."""
    if not notes.agreement:
        return [tag("p", "Nothing is known of raters: no project's agreement lies beside the annotations.")]
    head = ["source", "project", "kind", "raters", "excluded", "annotations", "alpha", "kappa", "ICC(1)", "F1"]
    rows = [_rater_row(note) for note in notes.agreement]
    parts = [
        table("Agreement by project", head, rows, range(3, len(head))),
        tag(
            "p",
            "Alpha: Krippendorff's, of levels as ordinals, with its 95 % interval. Kappa: of levels, weighted "
            "quadratically, mean over pairs of raters. ICC(1): of scores. F1: how alike sets of attributes are.",
            class_="quiet",
        ),
    ]
    with_alpha = [
        (f"{note.source}, {note.project}", note.level_alpha, note.level_alpha_95)
        for note in notes.agreement
        if note.level_alpha is not None
    ]
    if with_alpha:
        # Raters may agree less than by chance.
        least = min(end for _, alpha, interval in with_alpha for end in (alpha, *(interval or ())))
        plot = intervals("Alpha of levels by project", with_alpha, -1.0 if least < 0 else 0.0, 1.0)
        parts.append(tag("div", tag("figure", tag("h3", "Alpha of levels"), plot), class_="row"))
    return parts


def _rater_row(note: AgreementNote) -> list[object]:
    alpha = _figure(note.level_alpha)
    if note.level_alpha_95:
        alpha += f" ({note.level_alpha_95[0]:.2f} to {note.level_alpha_95[1]:.2f})"
    return [
        code(note.source),
        note.project,
        note.kind,
        f"{note.raters:,}",
        f"{note.excluded:,}",
        f"{note.annotations:,}",
        alpha,
        _figure(note.level_kappa),
        _figure(note.score_icc),
        _figure(note.attributes_f1),
    ]


def pairs(manifest: Manifest) -> list[Html]:
    """Tell what made the text, what reviewers made of it, and which pairs were left out."""
    made = generators(manifest)
    if not made:
        return [tag("p", "There is no text.")]
    rows = [[code(name), f"{n:,}", *_reviewed(seen)] for name, n, seen in made]
    head = ["generator", "samples", "pairs reviewed", "accepted", "edited", "rejected", "undecided", "kept (95 %)"]
    parts = [table("What made the text, and what reviewers said", head, rows, range(1, len(head)))]
    if manifest.pairs:
        reviewed = [row for row in manifest.pairs.acceptance if row.pairs]
        if reviewed:
            dots = [(row.of, (row.accepted + row.edited) / row.pairs, row.kept_95) for row in reviewed]
            plot = intervals("Share of pairs that reviewers kept", dots, 0.0, 1.0)
            parts.append(tag("div", tag("figure", tag("h3", "Share of pairs kept"), plot), class_="row"))
        else:
            parts.append(tag("p", "No person has reviewed the pairs."))
        boxes = [
            bars(caption, ("why", "pairs"), sorted(counts.items(), key=lambda of: (-of[1], of[0])))
            for caption, counts in (
                ("Right pairs that were left out", manifest.pairs.left_out),
                ("Pairs that a check contradicts", manifest.pairs.doubted),
            )
            if counts
        ]
        if boxes:
            parts.append(tag("div", *boxes, class_="row"))
    return parts


def _reviewed(seen: Acceptance | None) -> list[str]:
    if seen is None:
        return ["none", "", "", "", "", ""]
    low, high = seen.kept_95
    kept = f"{percent((seen.accepted + seen.edited) / seen.pairs)} ({percent(low)} to {percent(high)})"
    return [f"{n:,}" for n in (seen.pairs, seen.accepted, seen.edited, seen.rejected, seen.undecided)] + [kept]


def ledger(notes: Notes) -> list[Html]:
    """Tell what was asked of language models, and what it cost."""
    if not notes.ledgers:
        return [tag("p", "No language model was asked, or no ledger lies beside the pairs.")]
    head = [
        "source",
        "models (requests)",
        "requests",
        "answered",
        "tokens in",
        "tokens out",
        "spent",
        "an answer",
        "held",
    ]
    rows = [_ledger_row(note) for note in notes.ledgers]
    if len(rows) > 1:
        sums = [sum(getattr(n, name) for n in notes.ledgers) for name in _COUNTS]
        spent, held = (_sum(getattr(n, name) for n in notes.ledgers) for name in ("spent", "held"))
        rows.append(["all", "", *(f"{n:,}" for n in sums), spent, "", held])
    return [
        table("Requests by source, in dollars", head, rows, range(2, 9), total=len(rows) > 1),
        tag("p", "Held: what may have been billed for answers that were lost.", class_="quiet"),
    ]


_COUNTS = ("requests", "answered", "input_tokens", "output_tokens")


def _ledger_row(note: LedgerNote) -> list[object]:
    models = ", ".join(f"{model} ({n:,})" for model, n in sorted(note.models.items()))
    spent = _decimal(note.spent)
    each = f"{spent / note.answered:.5f}" if note.answered and spent is not None else ""
    counts = (f"{getattr(note, name):,}" for name in _COUNTS)
    return [code(note.source), models, *counts, note.spent, each, note.held]


def _sum(amounts: Iterable[str]) -> str:
    found = [_decimal(amount) for amount in amounts]
    return "" if any(one is None for one in found) else str(sum((one for one in found if one is not None), Decimal()))


def _decimal(amount: str) -> Decimal | None:
    try:
        return Decimal(amount)
    except InvalidOperation:
        return None


def quarantine(manifest: Manifest) -> list[Html]:
    """Tell how many inputs gave no sample, and why."""
    if not manifest.quarantined:
        return [tag("p", "Nothing is in quarantine: every input gave samples.")]
    told = f"{manifest.quarantined:,} inputs gave no sample."
    if manifest.transient:
        told += f" Of these {manifest.transient:,} say something of the machine, not of the data."
    counts = list(manifest.reasons.items())
    more = f"{len(counts) - REASONS:,} more reasons stand in manifest.json." if len(counts) > REASONS else ""
    return [
        tag("p", told),
        bars("Quarantine by reason", ("why", "inputs"), counts[:REASONS], manifest.quarantined, more),
    ]


def sources(manifest: Manifest) -> list[Html]:
    """Tell the sources, where to get them, their licences, and what their terms permit."""
    if not manifest.sources:
        return [tag("p", "The manifest names no source.")]
    listed = [
        [
            code(one.name),
            link(one.title, one.homepage),
            f"{one.records:,}",
            f"{one.rendered:,}",
            tag("span", one.licence),
            one.citation,
        ]
        for one in manifest.sources
    ]
    head = ["source", "set, where to get it", "clips shown", "of these made here", "licence", "cite"]
    rows: list[list[object]] = [[code(one.name), *_permits(one.terms)] for one in manifest.sources]
    if len(rows) > 1:
        rows.append(["the mix", *_permits(manifest.terms)])
    return [
        table("Sources", head, listed, (2, 3)),
        tag("p", TERMS_RULE),
        table("Terms", ["source", *TERMS.values()], rows, total=len(rows) > 1),
    ]


def _permits(terms: Terms) -> list[Html]:
    """Say what terms permit. Only permissions have a colour: a duty is neither good nor bad."""
    said = []
    for word in TERMS:
        answer: bool | None = getattr(terms, word)
        permission = word in {"redistribute", "modify", "commercial"}
        said.append(tag("span", ANSWER[answer], class_=_COLOUR[answer] if permission or answer is None else None))
    return said


def known_limits(manifest: Manifest) -> list[Html]:
    """Tell what one must know before trusting the corpus, and the remarks on its label tables."""
    told = limits(manifest)
    parts = [tag("ul", *(tag("li", one) for one in told))] if told else [tag("p", "None is known.")]
    if manifest.remarks:
        items = [tag("li", remark) for remark in manifest.remarks[:REMARKS]]
        if len(manifest.remarks) > REMARKS:
            items.append(tag("li", f"{len(manifest.remarks) - REMARKS:,} more stand in manifest.json"))
        summary = tag("summary", f"Remarks on the inputs ({len(manifest.remarks):,})")
        parts.append(tag("details", summary, tag("ul", *items)))
    return parts


def recipe(manifest: Manifest) -> list[Html]:
    """Show the recipe with every default written out, its hash, and the tools."""
    rows: list[list[object]] = [["recipe, SHA-256", code(manifest.recipe_sha256)], ["schema", manifest.schema_version]]
    rows += [["media", manifest.media]]
    rows += [[name, version] for name, version in sorted(manifest.tools.items())]
    written = yaml.safe_dump(manifest.recipe, sort_keys=False, allow_unicode=True, width=100)
    return [
        table("Made with", ["what", "value"], rows),
        tag("p", "The same inputs and recipe give the same bytes. Paths are those of the recipe, not of a machine."),
        tag("pre", written, tabindex="0", role="region", aria_label="The recipe"),
    ]


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"

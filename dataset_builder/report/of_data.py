"""Sections on what the data hold: counts, scores, clips, contact sheet, words, splits and leaks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import TypeVar

from dataset_builder.report.facts import Facts, Geometry, Scores, Shown
from dataset_builder.report.markup import Html, bars, cards, code, joined, lines, percent, table, tag
from dataset_builder.report.pictures import PER_LEVEL, Picture, Sheet, severity_of
from dataset_builder.report.plots import score_plot
from dataset_builder.report.texts import COMMON, Texts, by_length, most_frequent
from dataset_builder.telling import SCALE_RULE
from schemas.levels import LEVELS
from schemas.manifest import Manifest
from schemas.pair import FAMILIES
from schemas.record import SPLITS

WORDS, OPENINGS, CLOUD = 20, 12, 60
"""How many words and openings are listed, and how many words stand in the cloud."""
LISTED = 50
"""How many groups, files or clips that leak are named."""
SIZES, RATES = 6, 6
"""How many sizes and frame rates are listed of a source."""

T = TypeVar("T")
Pictures = Mapping[str, Picture | str]


def contents(manifest: Manifest, facts: Facts) -> list[Html]:
    """Count samples by config, split, family, task and generator."""
    samples = sum(sum(count.splits.values()) for count in manifest.configs.values())
    figures = [("samples", f"{samples:,}"), ("clips shown", f"{manifest.records:,}")]
    figures += [("content groups", f"{len(facts.group_splits):,}"), ("sources", f"{len(manifest.sources):,}")]
    figures += [("configs", f"{len(manifest.configs):,}"), ("inputs left out", f"{manifest.quarantined:,}")]
    parts = [cards(figures)]
    if not manifest.configs:
        return [*parts, tag("p", "The corpus holds no samples.")]
    rows = [
        [code(config), *(f"{count.splits.get(split, 0):,}" for split in SPLITS), f"{sum(count.splits.values()):,}"]
        for config, count in manifest.configs.items()
    ]
    tables = [table("Samples by config and split", ["config", *SPLITS, "all"], rows, range(1, len(SPLITS) + 2))]
    for what, counts in (
        ("family", {config: count.families for config, count in manifest.configs.items()}),
        ("task", {config: count.tasks for config, count in manifest.configs.items()}),
        ("generator", {config: count.generators for config, count in manifest.configs.items()}),
    ):
        if any(counts.values()):
            tables.append(_by_config(what, counts))
    parts.append(tag("div", *tables, class_="flow"))
    if any(config.endswith("-mix") for config in manifest.configs):
        parts.append(tag("p", "A mix repeats samples of the configs that it is made of.", class_="quiet"))
    if manifest.pairs and manifest.pairs.taken:
        parts.append(tag("h3", "What the pairs of stage 3 ask and answer"))
        parts.append(_row(_traits(manifest.pairs.taken)))
    return parts


def _by_config(what: str, counts: Mapping[str, Mapping[str, int]]) -> Html:
    """Count by config and something: the names head the rows, for there are more of them than configs."""
    names = {name for each in counts.values() for name in each}
    order: list[str] = [family for family in FAMILIES if family in names]
    order += sorted(names - set(order))
    configs = [config for config, each in counts.items() if each]
    rows = [[code(name), *(f"{counts[config].get(name, 0):,}" for config in configs)] for name in order]
    head = [what, *map(code, configs)]
    return table(f"Samples by {what}", head, rows, range(1, len(head)))


def _traits(taken: Mapping[str, Mapping[str, int]]) -> list[Html]:
    listed = {"degree": None, "level": LEVELS, "family": FAMILIES}
    made = []
    for trait, counts in taken.items():
        order = listed.get(trait) or sorted(counts)
        rows = [(value, counts[value]) for value in order if value in counts]
        made.append(bars(f"Pairs by {trait}", (trait, "pairs"), rows, sum(counts.values())))
    return made


def scores(manifest: Manifest, facts: Facts) -> list[Html]:
    """Plot MOS and levels of every source of every config, the splits side by side."""
    if not facts.scores:
        return [tag("p", "No sample has a score.")]
    keys = [tag("span", tag("span", class_=f"key {split}"), f"{split} ") for split in SPLITS]
    parts = [
        tag("p", SCALE_RULE),
        tag(
            "p",
            "MOS on the unit range, 1 is best; dashed lines are the cuts. Samples are counted, so a clip that is asked "
            "about twice counts twice. ",
            *keys,
            class_="quiet",
        ),
    ]
    parts.append(
        _row(
            _score_figure(config, source, facts.scores[config, source])
            for config in manifest.configs
            for source in sorted(source for of, source in facts.scores if of == config)
        )
    )
    rows = [
        [code(scale.source), scale.mode, f"{scale.lo:g}", f"{scale.hi:g}", scale.direction.replace("_", " "), fitted]
        for scale in manifest.scales
        for fitted in [scale.fitted_on]
    ]
    if rows:
        head = ["source", "range", "lo", "hi", "direction", "fitted on"]
        parts.append(table("The scale of each source", head, rows, (2, 3)))
    return parts


def _score_figure(config: str, source: str, found: Mapping[str, Scores]) -> Html:
    by_split: dict[str, Scores] = {split: found[split] for split in SPLITS if split in found}
    rows = [
        [split, f"{one.count:,}", f"{one.total / one.count:.3f}", *(f"{one.levels[level]:,}" for level in LEVELS)]
        for split, one in by_split.items()
    ]
    synthetic = any(one.synthetic for one in by_split.values())
    return tag(
        "figure",
        tag("h3", code(config), " of ", code(source), " (synthetic scores)" if synthetic else ""),
        score_plot(f"MOS and levels of {source} in {config}", by_split),
        table(f"{source} in {config}", ["split", "samples", "mean", *LEVELS], rows, range(1, 8)),
    )


def clips(facts: Facts) -> list[Html]:
    """Tell lengths, sizes and frame rates of the clips, and the ground truth of what was done to them."""
    if not facts.geometry:
        return [tag("p", "No clip is shown.")]
    rows = [_geometry_row(source, facts.geometry[source]) for source in sorted(facts.geometry)]
    head = [
        "source",
        "videos",
        "images",
        "made here",
        "hours",
        "seconds each: least, median, most",
        "sizes",
        "frames/s",
    ]
    parts = [table("Clips that are shown", head, rows, range(1, 5))]
    if facts.distortions:
        parts.append(_distortion_table(facts.distortions))
    if facts.stalls:
        told = sorted(facts.stalls.items())
        parts.append(bars("Streaming sessions by their stalls", ("stalls", "clips"), told, sum(facts.stalls.values())))
    return parts


def _geometry_row(source: str, of: Geometry) -> list[object]:
    seconds = of.seconds
    each = f"{min(seconds):.1f}, {median(seconds):.1f}, {max(seconds):.1f}" if seconds else ""
    sizes = [f"{width} x {height}" for width, height in _top(of.sizes, SIZES)]
    rates = [f"{rate:g}" for rate in _top(of.rates, RATES)]
    return [
        code(source),
        f"{of.videos:,}",
        f"{of.images:,}",
        f"{of.rendered:,}",
        f"{sum(seconds) / 3600:.2f}",
        each,
        tag("span", _some(sizes, len(of.sizes))),
        _some(rates, len(of.rates)),
    ]


def _top(counts: Counter[T], most: int) -> list[T]:
    """List the most frequent; of what is as frequent, what is told first was seen first."""
    return [name for name, _ in counts.most_common(most)]


def _some(told: Sequence[str], of: int) -> str:
    return ", ".join(told) + (f" and {of - len(told):,} more" if of > len(told) else "")


def _distortion_table(found: Mapping[str, Counter[int | None]]) -> Html:
    severities: list[int | None] = [*sorted({s for each in found.values() for s in each if s is not None})]
    if any(None in each for each in found.values()):
        severities.append(None)
    rows = []
    for name in sorted(found):
        cells: list[object] = [name]
        for severity in severities:
            count = found[name][severity]
            cells.append(f"{count:,}" if count else "")
        rows.append([*cells, f"{found[name].total():,}"])
    head = ["distortion", *("severity not known" if s is None else f"severity {s}" for s in severities), "all"]
    return table("Main distortion of the clips, by ground truth", head, rows, range(1, len(head)))


def contact_sheet(sheet: Sheet, pictures: Pictures | None) -> list[Html]:
    """Show clips of every level and of every distortion, one frame of each."""
    if not sheet.levels and not sheet.distortions:
        return [tag("p", "No clip has a level or a distortion that is known.")]
    if pictures is None:
        return [tag("p", "The pictures are left out of this page, as of clips that may not be passed on.")]
    parts = [
        tag(
            "p",
            f"The middle key frame of up to {PER_LEVEL} clips of each level, and of clips of each severity of a "
            "distortion, drawn by a hash of their names. What happens over time, such as stuttering, no frame shows.",
        )
    ]
    failed = Counter(told for told in pictures.values() if isinstance(told, str))
    if failed:
        whys = "; ".join(f"{why} ({count:,})" for why, count in sorted(failed.items()))
        parts.append(_told("bad", f"{failed.total():,} of {len(pictures):,} clips have no picture: {whys}."))
    if failed.total() == len(pictures):
        return parts[1:]
    for level, of_level in sheet.levels.items():
        parts.append(tag("h3", "Level ", tag("em", level)))
        parts.append(_tiles(of_level, pictures, ""))
    groups = [
        tag("div", tag("h3", name[:1].upper() + name[1:]), _tiles(of_distortion, pictures, name))
        for name, of_distortion in sheet.distortions.items()
    ]
    if groups:
        parts.append(tag("div", lines(groups), class_="groups"))
    return parts


def _tiles(of: Iterable[Shown], pictures: Pictures, distortion: str) -> Html:
    return tag("ul", lines(_tile(clip, pictures[clip.path], distortion) for clip in of), class_="sheet")


def _tile(clip: Shown, picture: Picture | str, distortion: str) -> Html:
    severity = severity_of(clip, distortion)
    about = [f"{clip.level}, MOS {clip.mos:.2f}"] if clip.level and clip.mos is not None else []
    if distortion:
        about = [f"severity {severity}" if severity else "severity not known", *about]
    else:
        about += [f"{name}{f' {severity}' if severity else ''}" for name, severity in clip.distortions[:2]]
    if isinstance(picture, Picture):
        frame = tag(
            "img",
            src=f"data:image/jpeg;base64,{picture.jpeg}",
            width=picture.width,
            height=picture.height,
            alt=f"{clip.record_id}: {', '.join(about)}",
        )
    else:
        frame = tag("span", f"no picture: {picture}")
    told = joined([*about, clip.split], " · ")
    return tag("li", tag("div", frame, class_="frame"), tag("div", told, code(clip.record_id), class_="caption"))


def words(manifest: Manifest, facts: Facts) -> list[Html]:
    """Count words, openings and lengths of the answers and questions of every config."""
    if not facts.answers:
        return [tag("p", "There is no text.")]
    parts = [
        tag(
            "p",
            "Words of answers and of questions, in lower case, without words that every text is full of; questions are "
            "taken without what says how a clip is fed. Shares of words are of all words, the common ones too.",
        )
    ]
    for config in manifest.configs:
        asked, told = facts.questions[config], facts.answers[config]
        parts += [tag("h3", code(config)), *_texts(config, "answers", told)]
        parts.append(tag("details", tag("summary", "Its questions"), *_texts(config, "questions", asked)))
    return parts


def _texts(config: str, what: str, texts: Texts) -> list[Html]:
    told = (
        f"{texts.count:,} {what}, {len(texts.distinct):,} of them distinct "
        f"({percent(len(texts.distinct) / texts.count)}); {texts.words.total() / texts.count:.1f} words each, "
        f"{len(texts.words):,} different words."
    )
    frequent = most_frequent(texts.words, CLOUD, COMMON)
    tables = [
        bars(
            f"Most frequent words of the {what} of {config}", ("word", "times"), frequent[:WORDS], texts.words.total()
        ),
        bars(
            f"How the {what} of {config} begin",
            ("first words", what),
            most_frequent(texts.openings, OPENINGS),
            texts.count,
        ),
        bars(f"Length of the {what} of {config}", ("words", what), by_length(texts.lengths), texts.count),
    ]
    parts = [tag("p", told)]
    if what == "answers" and len(frequent) > WORDS:
        parts.append(_cloud(frequent))
    return [*parts, _row(tables)]


def _cloud(frequent: Sequence[tuple[str, int]]) -> Html:
    most = frequent[0][1]
    each = (tag("span", word, style=f"font-size:{12 + 26 * (n / most) ** 0.5:.0f}px") for word, n in sorted(frequent))
    return tag("p", joined(each, " "), class_="cloud", aria_hidden="true")


def splits(manifest: Manifest, facts: Facts, leaks: Sequence[str] | None, looked: Sequence[str]) -> list[Html]:
    """Tell what each split holds, and whether anything is in two of them; `looked` says what was searched for leaks."""
    rows = []
    for config in manifest.configs:
        samples, groups, shown_clips = manifest.configs[config], facts.groups[config], facts.clips[config]
        for split in SPLITS:
            if split in shown_clips:
                rows.append(
                    [
                        joined([code(config), f" {split}"]),
                        f"{samples.splits.get(split, 0):,}",
                        f"{len(shown_clips[split]):,}",
                        f"{len(groups[split]):,}",
                    ]
                )
    parts = []
    if rows:
        head = ["config and split", "samples", "clips", "content groups"]
        parts.append(table("What the splits hold", head, rows, (1, 2, 3)))
    parts.append(_straddling("content group", facts.group_splits))
    parts.append(_straddling("file", facts.byte_splits))
    if leaks is None:
        how = "vqa2 report CORPUS --near-duplicates --against BENCHMARK.passport.json"
        not_looked = (
            "Whether clips of two splits show the same pictures, and whether clips of a benchmark are among those "
            "trained on, was not looked for. "
        )
        parts.append(_told("", joined([not_looked, code(how), " looks for both."])))
    else:
        told = f"Looked for {' and '.join(looked)}: "
        told += f"{len(leaks):,} found." if leaks else "none found."
        parts.append(_told("bad" if leaks else "good", told, leaks))
    return parts


def _straddling(what: str, splits_of: Mapping[str, set[str]]) -> Html:
    both = [
        f"{name}: {', '.join(split for split in SPLITS if split in found)}"
        for name, found in sorted(splits_of.items())
        if len(found) > 1
    ]
    if not both:
        return _told("good", f"No {what} of {len(splits_of):,} is in two splits.")
    return _told("bad", f"{len(both):,} of {len(splits_of):,} {what}s are in more than one split:", both)


def _told(kind: str, words: object, listed: Sequence[str] = ()) -> Html:
    items = [tag("li", code(one)) for one in listed[:LISTED]]
    if len(listed) > LISTED:
        items.append(tag("li", f"and {len(listed) - LISTED:,} more"))
    return tag("div", tag("p", words), tag("ul", *items) if items else "", class_=f"told {kind}".strip())


def _row(parts: Iterable[object]) -> Html:
    return tag("div", *parts, class_="row")

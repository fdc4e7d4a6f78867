"""What is known of a clip's attributes, gathered from its record and from all that experts wrote of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from schemas.annotation import Annotation, Attribute
from schemas.levels import Level
from schemas.record import Distortion
from stages.claims.claim import Known
from stages.claims.lexicon import (
    ABSENT,
    ANYTHING,
    ATTRIBUTES,
    DEGREE_WORDS,
    MODERATE,
    NOTICEABLE,
    PRESENT,
    SEVERE,
    SLIGHT,
    Sense,
)
from stages.claims.places import GENERIC, Where, described, things_of
from stages.claims.praise import praised
from stages.claims.reading import Manner, Mention, Reader, sentences_of
from stages.claims.times import When, times_in
from stages.claims.verdicts import Levels
from stages.claims.words import Phrases, plain, stem_of, tokens_of
from stages.wording.taxonomy import DEGREES, MOTION, SPATIAL, degree_of_severity

STATES = dict(zip(DEGREES, (SLIGHT, MODERATE, NOTICEABLE, SEVERE), strict=True))
_NAMES: Phrases[Sense | None] = Phrases(ATTRIBUTES)


@dataclass(frozen=True)
class Fact:
    """What one source says of one attribute. `whens` is None where nothing is said of its time; `where` likewise."""

    states: int = PRESENT
    whens: tuple[When, ...] | None = None
    where: Where | None = None
    words: str = ""


@dataclass
class Facts:
    """What is known of a clip by attribute.

    `sure` are attributes that somebody named; `loose` are those that a text may have meant by a word of several
    meanings, or spoke of without saying that the clip has them; `hazy` are those that lie near what was named.
    """

    sure: dict[str, list[Fact]] = field(default_factory=dict)
    loose: set[str] = field(default_factory=set)
    hazy: set[str] = field(default_factory=set)
    clean: dict[str, set[str]] = field(default_factory=dict)
    """By attribute, things that are said not to have it; by `ANYTHING`, things that are praised."""
    levels: frozenset[Level] = frozenset()
    spoken_levels: Levels = frozenset()

    def of(self, names: Iterable[str]) -> list[Fact]:
        """List what is known of any of these attributes; of everything, for `ANYTHING`."""
        wanted = list(names)
        if ANYTHING in wanted:
            return [fact for facts in self.sure.values() for fact in facts]
        return [fact for name in dict.fromkeys(wanted) for fact in self.sure.get(name, ())]

    def spoken_of(self, names: Iterable[str]) -> bool:
        """Whether anybody named one of these, or may have meant it."""
        return any(name in self.sure or name in self.loose or (name == ANYTHING and self.sure) for name in names)


def senses_of(name: str) -> list[Sense]:
    """Give what an expert's own name for an attribute covers: a phrase of the lexicon, or the name itself."""
    tokens = tokens_of(plain(name))
    found = [sense for _, _, sense in _NAMES.all_in(tokens) if sense and not sense.good and sense.covers != (ANYTHING,)]
    return found or [Sense((plain(name).strip(),))]


def odd_names(annotations: Iterable[Annotation]) -> list[str]:
    """List the attributes that experts named and the lexicon does not know."""
    names = {a.name for annotation in annotations for a in annotation.attributes}
    return sorted(
        plain(n).strip()
        for n in names
        if senses_of(n)[0].covers == (plain(n).strip(),) and plain(n).strip() not in ATTRIBUTES
    )


def scenery(annotations: Iterable[Annotation]) -> frozenset[str]:
    """List the words that name places in these notes: the stalls of a market are no stalling."""
    names = {word for a in annotations for b in a.attributes for word in plain(b.name).split()}
    texts = [plain(b.where) for a in annotations for b in a.attributes if b.where]
    own = {stem_of(name) for name in names}
    return frozenset(
        t.text for text in texts for t in tokens_of(text) if t.text.isalpha() and t.stem not in own | GENERIC
    )


def gather(known: Known, reader: Reader, cited: Sequence[Annotation], truth: bool) -> Facts:
    """Gather what these annotations say, and with `truth` what was done to the clip."""
    facts = Facts()
    for annotation in cited:
        _take_annotation(facts, annotation, reader)
    if truth:
        for distortion in known.record.distortions:
            _take_distortion(facts, distortion, reader)
        if known.record.stalls:
            spans = tuple(When("span", s.start, s.start + s.duration, 0) for s in known.record.stalls)
            facts.sure.setdefault("stuttering", []).append(Fact(whens=spans))
    levels = {annotation.level for annotation in cited if annotation.level}
    facts.levels = frozenset(levels or ({known.level} if known.level else set()))
    return facts


def told_by(annotation: Annotation) -> set[str]:
    """Give the keys of the sentences that an expert wrote, which a pair may repeat."""
    texts = [annotation.overall, annotation.in_context]
    texts += [text for talk in annotation.conversations for text in (talk.question, talk.answer)]
    return {key for text in texts for key in sentences_of(text)}


def _take_annotation(facts: Facts, annotation: Annotation, reader: Reader) -> None:
    mentions: list[Mention] = []
    overall: list[Mention] = []
    for text in (annotation.overall, annotation.in_context):
        if text.strip():
            read = reader.read(text)
            mentions += read.mentions
            overall = overall or list(read.mentions)
            facts.clean.setdefault(ANYTHING, set()).update(praised(text))
            for mention in read.mentions:
                if not mention.states & PRESENT and not mention.whens:
                    for name in mention.sense.covers:
                        facts.clean.setdefault(name, set()).update(things_of(mention.clause))
            facts.spoken_levels |= frozenset(level for levels, _ in read.verdicts for level in levels)
    for talk in annotation.conversations:
        asked = reader.read(talk.question, Manner(question=True))
        answered = reader.read(talk.answer, topic=asked.mentions)
        for mention in (*asked.mentions, *answered.mentions):
            facts.loose.update(mention.sense.covers)
            facts.hazy.update(mention.sense.near)
    structured = {name for a in annotation.attributes for sense in senses_of(a.name) for name in sense.covers}
    for attribute in annotation.attributes:
        # What the text says of another attribute of the note is not said of this one, however alike they are.
        own = {name for sense in senses_of(attribute.name) for name in sense.covers}
        near = [m for m in mentions if own & {*m.sense.covers} or not structured & {*m.sense.covers}]
        _take_attribute(facts, attribute, near, reader)
    for mention in mentions:
        if not mention.states & PRESENT or mention.sense.covers == (ANYTHING,):
            continue
        facts.loose.update(mention.sense.covers)
        facts.hazy.update(mention.sense.near)
        if (
            mention.assumed
            or mention.states & ABSENT
            or len(mention.sense.covers) > 1
            or structured & {*mention.sense.covers, *mention.sense.near}
        ):
            continue
        fact = Fact(mention.states, mention.whens or None, mention.where if mention.where.says else None, mention.quote)
        facts.sure.setdefault(mention.sense.covers[0], []).append(fact)


def _take_attribute(facts: Facts, attribute: Attribute, mentions: Sequence[Mention], reader: Reader) -> None:
    said = plain(attribute.degree).strip()
    states = (
        STATES.get(attribute.degree)
        or DEGREE_WORDS.get(said, DEGREE_WORDS.get(f"={said}", PRESENT)) & PRESENT
        or PRESENT
    )
    whens: tuple[When, ...] | None
    if attribute.start is not None and attribute.end is not None:
        whens = (When("span", attribute.start, attribute.end, 0),)
    elif attribute.when:
        whens = tuple(times_in(plain(attribute.when), reader.duration)) or None
    else:
        whens = (When("whole", 0.0, reader.duration, 0),)
    senses = senses_of(attribute.name)
    covers = {name for sense in senses for name in sense.covers}
    told = [m for m in mentions if covers & {*m.sense.covers, *m.sense.near} and m.states & PRESENT]
    where = described(plain(attribute.where)) if attribute.where else None
    for mention in told:
        # Where a field was left open, the expert's text may say it.
        if (
            attribute.start is None
            and not attribute.when
            and mention.whens
            and all(w.kind != "whole" for w in mention.whens)
        ):
            whens = mention.whens
        if where is None and mention.where.says and not mention.where.quote.startswith("of "):
            where = mention.where
    fact = Fact(states, whens, where if where and where.says else None, f"{attribute.degree} {attribute.name}")
    for sense in senses:
        facts.hazy.update(sense.near)
        for name in sense.covers:
            facts.sure.setdefault(name, []).append(fact)
    # The name itself, too: an expert's "compression blur" is asked for by that name.
    facts.loose.update(stem_of(word) for word in plain(attribute.name).split())


def _take_distortion(facts: Facts, distortion: Distortion, reader: Reader) -> None:
    states = PRESENT if distortion.severity is None else STATES[degree_of_severity(max(1, min(5, distortion.severity)))]
    if distortion.start is None or distortion.end is None:
        when = When("whole", 0.0, reader.duration, 0)
    else:
        when = When("span", distortion.start, distortion.end, 0)
    name = plain(distortion.name).strip()
    fact = Fact(states, (when,), _box(distortion), distortion.name)
    facts.sure.setdefault(name, []).append(fact)
    for sense in senses_of(name):
        facts.hazy.update(sense.near)


def _box(distortion: Distortion) -> Where:
    """Put a box into rows and columns: the third of the frame, each way, that its middle lies in."""
    if distortion.box is None or min(distortion.box[2:]) > 0.9:
        return Where(whole=True)
    x, y, width, height = distortion.box
    row = ("upper", "middle", "lower")[max(0, min(2, int(3 * (y + height / 2))))]
    column = ("left", "middle", "right")[max(0, min(2, int(3 * (x + width / 2))))]
    rows = {row} if row != "middle" or column == "middle" else {"middle"}
    return Where(frozenset(rows), frozenset({column}))


def unnamed(facts: Facts) -> list[str]:
    """List the taxonomy's words that nobody named and nobody may have meant: those that can be asked for as absent."""
    return [name for name in (*SPATIAL, *MOTION) if name not in facts.sure and name not in facts.loose | facts.hazy]

"""Raters made up, good ones and bad ones, to see what the screening finds.

A clip has a quality, in levels from 0 to 5, and a set of attributes. An honest rater sees the quality with a bias and a
spread, most of the attributes and some that are not there, and starts from a prediction that is wrong now and then: who
is anchored leaves it as it is where it is near. The bad ones are: `random` (everything by lot), `constant` (one answer,
almost always), `lazy` (submits the prediction, almost always) and `inverted` (takes the scale the wrong way round, and
is careful otherwise). Unless told, the bad ones take as long as the honest ones, so that nothing rests on speed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from annotation.agreement.answers import Answers, gathered
from schemas.annotation import Annotation, Attribute
from schemas.levels import LEVELS
from schemas.response import Response, Role
from stages.wording.taxonomy import DEGREES, SPATIAL

Bad = Literal["random", "constant", "lazy", "inverted"]
KINDS: tuple[Bad, ...] = get_args(Bad)
LEVEL_SCORE = 100 / len(LEVELS)
ATTRIBUTES = SPATIAL[:8]


@dataclass(frozen=True)
class Plan:
    """How a project is made up.

    `clips_each` is how many clips (beside gold and repeats) each rater has; `gold` and `repeats` are shares of all
    tasks. `spread` is the standard deviation of an honest rater and `material` that of the clips' quality, both in
    levels (None: quality is spread evenly over the scale). `anchored` is the largest share of near predictions that an
    honest rater leaves as they are. `hurried`: bad raters take a third of the clip's duration.
    """

    raters: int = 20
    bad: tuple[Bad, ...] = KINDS
    clips_each: int = 40
    raters_a_clip: int = 3
    spread: float = 0.7
    bias: float = 0.2
    material: float | None = None
    gold: float = 0.1
    repeats: float = 0.05
    predicted: bool = True
    anchored: float = 0.6
    hurried: bool = False


PLAN = Plan()


@dataclass(frozen=True)
class View:
    """One way to see a clip: its quality in levels, not cut to whole ones, and degrees by attribute."""

    quality: float
    degrees: dict[str, int]

    @property
    def level(self) -> int:
        """The index of the level."""
        return min(max(int(self.quality), 0), len(LEVELS) - 1)


@dataclass(frozen=True)
class Clip:
    """A clip: as it is, and as a model predicts it."""

    name: str
    truth: View
    predicted: View
    seconds: float


@dataclass(frozen=True)
class Rater:
    """A rater: which kind of bad one (None: honest), and what marks them."""

    name: str
    bad: Bad | None
    bias: float
    anchored: float
    favourite: View


@dataclass
class Simulation:
    """A project made up: its answers, and who of the raters is bad and how."""

    answers: Answers
    bad: dict[str, Bad] = field(default_factory=dict)


def simulate(seed: int, plan: Plan = PLAN) -> Simulation:
    """Make up a project whose every rater is in `raters_a_clip` of the same number of tasks, as even as lots allow."""
    random = np.random.default_rng([seed, 0x5EED])
    raters = [
        Rater(
            f"r{index:02d}",
            plan.bad[index] if index < len(plan.bad) else None,
            random.normal(0, plan.bias),
            random.uniform(0, plan.anchored),
            View(random.uniform(0, 5), _attributes(random, 2.5)),
        )
        for index in range(plan.raters)
    ]
    clips = round(plan.raters * plan.clips_each / plan.raters_a_clip)
    tasks = clips / (1 - plan.gold - plan.repeats)
    shown = [_clip(random, f"clip-{index:04d}", plan) for index in range(clips)]
    known = [_clip(random, f"known-{index:04d}", plan) for index in range(round(tasks * plan.gold))]
    again = random.choice(clips, round(tasks * plan.repeats), replace=False)
    work: list[tuple[Clip, Role, int | None]] = [(clip, "clip", None) for clip in shown]
    work += [(clip, "gold", None) for clip in known]
    who = _dealt(random, plan.raters, len(work), plan.raters_a_clip)
    for index in again:
        work.append((shown[index], "repeat", int(index)))
        who.append(who[index])
    responses: list[Response] = []
    for task, ((clip, role, of), seats) in enumerate(zip(work, who, strict=True)):
        for seat in seats:
            rater = raters[seat]
            view = _answer(random, rater, clip, plan)
            haste = plan.hurried and rater.bad is not None
            responses.append(
                Response(
                    id=f"s{len(responses)}",
                    task=f"t{task:05d}",
                    record_id=f"made-up/{clip.name}",
                    rater=rater.name,
                    role=role,
                    of=None if of is None else f"t{of:05d}",
                    annotation=_annotation(f"s{len(responses)}", clip.name, rater.name, view),
                    changed=view is not clip.predicted if plan.predicted else None,
                    seconds=clip.seconds * (0.3 if haste else 2.5) * random.lognormal(0, 0.3),
                )
            )
    gold = {f"made-up/{clip.name}": _annotation(clip.name, clip.name, "gold", clip.truth) for clip in known}
    durations = {f"t{task:05d}": clip.seconds for task, (clip, _, _) in enumerate(work)}
    return Simulation(
        gathered("depict", responses, gold, durations),
        {rater.name: rater.bad for rater in raters if rater.bad is not None},
    )


def _dealt(random: np.random.Generator, raters: int, tasks: int, each: int) -> list[list[int]]:
    """Deal tasks out: `each` raters to a task, those first who have the fewest, lots among equals."""
    load = np.zeros(raters)
    seats = []
    for _ in range(tasks):
        chosen = np.argsort(load + random.random(raters))[:each]
        load[chosen] += 1
        seats.append(chosen.tolist())
    return seats


def _clip(random: np.random.Generator, name: str, plan: Plan) -> Clip:
    quality = random.uniform(0, 5)
    if plan.material is not None:
        quality = float(np.clip(random.normal(2.5, plan.material), 0, 4.999))
    truth = View(quality, _attributes(random, 0.5 + 0.5 * (5 - quality)))
    predicted = View(quality + random.normal(0, 0.6), _seen(random, truth.degrees, miss=0.3, invent=0.05))
    return Clip(name, truth, predicted, random.uniform(5, 12))


def _attributes(random: np.random.Generator, many: float) -> dict[str, int]:
    chosen = random.choice(len(ATTRIBUTES), min(random.poisson(many), len(ATTRIBUTES)), replace=False)
    return {ATTRIBUTES[index]: int(random.integers(len(DEGREES))) for index in sorted(chosen)}


def _seen(random: np.random.Generator, there: dict[str, int], *, miss: float, invent: float) -> dict[str, int]:
    seen = {}
    for name in ATTRIBUTES:
        if name in there and random.random() >= miss:
            seen[name] = int(np.clip(there[name] + random.choice([-1, 0, 0, 1]), 0, len(DEGREES) - 1))
        elif name not in there and random.random() < invent:
            seen[name] = int(random.integers(2))
    return seen


def _answer(random: np.random.Generator, rater: Rater, clip: Clip, plan: Plan) -> View:
    if rater.bad == "constant" and random.random() < 0.97:
        return rater.favourite
    if rater.bad == "lazy" and plan.predicted and random.random() < 0.97:
        return clip.predicted
    if rater.bad == "random":
        return View(random.uniform(0, 5), _attributes(random, 2))
    quality = clip.truth.quality + rater.bias + random.normal(0, plan.spread)
    degrees = _seen(random, clip.truth.degrees, miss=0.25, invent=0.05)
    if rater.bad == "inverted":
        return View(5 - quality, degrees)
    if plan.predicted and abs(quality - clip.predicted.quality) < 0.5 and random.random() < rater.anchored:
        return clip.predicted
    return View(quality, degrees)


def _annotation(name: str, clip: str, rater: str, view: View) -> Annotation:
    return Annotation(
        id=name,
        clip=clip,
        rater=rater,
        attributes=[Attribute(name=word, degree=DEGREES[degree]) for word, degree in view.degrees.items()],
        level=LEVELS[view.level],
        score=float(np.clip(np.rint(view.quality * LEVEL_SCORE), 0, 100)),
    )

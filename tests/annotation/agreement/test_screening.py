"""Screening: bad raters who were made up are found, honest ones are not, and every decision says what it rests on."""

from collections import Counter
from dataclasses import replace

import msgspec
import pytest

from annotation.agreement.answers import Answers, gathered
from annotation.agreement.screening import CHECKS, Screened, Thresholds, gold_right, screen, set_f1
from annotation.agreement.simulate import KINDS, Plan, simulate
from schemas.annotation import Annotation, Attribute
from schemas.errors import CallError
from schemas.levels import LEVELS
from schemas.response import Response, Verdict

PLAN = Plan()
FIELDS = msgspec.structs.asdict(Thresholds())
FAST_SEEDS = 6
CHECK_OF = {"random": "agreement", "constant": "sameness", "lazy": "unchanged", "inverted": "agreement"}


def failed(rater: Screened) -> set[str]:
    return {check.check for check in rater.checks if check.result == "fails"}


def rates(plan: Plan, seeds: range) -> tuple[float, float, dict[str, float]]:
    """Shares found of the bad ones and blamed of the honest ones, and found of each kind."""
    there: Counter[str] = Counter()
    out: Counter[str] = Counter()
    for seed in seeds:
        made = simulate(seed, plan)
        for rater in screen(made.answers):
            kind = made.bad.get(rater.rater, "honest")
            there[kind] += 1
            out[kind] += rater.state == "excluded"
    bad = there.total() - there["honest"]
    found = (out.total() - out["honest"]) / bad if bad else 1.0
    return found, out["honest"] / there["honest"], {kind: out[kind] / there[kind] for kind in there if kind != "honest"}


def test_the_plan_is_what_it_says() -> None:
    made = simulate(0)
    answers = made.answers
    assert len(answers.raters) == 20
    assert Counter(made.bad.values()) == dict.fromkeys(KINDS, 1)
    clips = Counter(response.rater for response in answers.of_role("clip"))
    assert min(clips.values()) >= 39
    assert sum(clips.values()) / 20 == pytest.approx(40, abs=0.1)
    of_clip = Counter(response.record_id for response in answers.of_role("clip"))
    assert set(of_clip.values()) == {3}
    tasks = {response.task: response.role for response in answers.responses}
    roles = Counter(tasks.values())
    assert roles["gold"] / len(tasks) == pytest.approx(0.1, abs=0.005)
    assert roles["repeat"] / len(tasks) == pytest.approx(0.05, abs=0.005)


def test_honest_raters_are_as_far_off_as_is_said() -> None:
    made = simulate(1, replace(PLAN, bad=(), predicted=False, bias=0.0, raters=40, gold=0.5, repeats=0))
    off = [
        response.annotation.score - made.answers.gold[response.record_id].score
        for response in made.answers.of_role("gold")
        if response.annotation and response.annotation.score
        if 20 <= (made.answers.gold[response.record_id].score or 0) <= 80
    ]
    spread = (sum(value**2 for value in off) / len(off)) ** 0.5 / 20
    assert len(off) > 800
    assert spread == pytest.approx(0.7, abs=0.05)


def test_bad_raters_are_found_and_honest_ones_are_not() -> None:
    found, blamed, _ = rates(PLAN, range(FAST_SEEDS))
    assert found >= 0.95
    assert blamed < 0.05


@pytest.mark.full
@pytest.mark.parametrize(
    ("bad", "projects"),
    [(KINDS, 200), *[((kind,) * 4, 50) for kind in KINDS]],
    ids=["one-of-each", *KINDS],
)
def test_bad_raters_are_found_in_all_projects(bad: tuple[str, ...], projects: int) -> None:
    """20 raters, a fifth of them bad, 40 clips each, 3 raters a clip, spread 0.7 level, 10 % gold, 5 % repeats."""
    found, blamed, by_kind = rates(replace(PLAN, bad=bad), range(projects))
    assert found >= 0.95
    assert min(by_kind.values()) >= 0.95
    assert blamed < 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_the_reason_names_what_is_wrong(kind: str) -> None:
    made = simulate(2, replace(PLAN, bad=(kind,)))
    (bad,) = made.bad
    rater = next(rater for rater in screen(made.answers) if rater.rater == bad)
    assert CHECK_OF[kind] in failed(rater)
    assert [check.check for check in rater.checks] == list(CHECKS)
    assert len(rater.reasons) == len(failed(rater))
    for check in rater.checks:
        if check.result == "fails":
            assert check.items >= check.least_items
            assert check.value is not None
            assert check.threshold is not None
            assert str(check.items) in check.says
            assert check.says in rater.reasons
    if kind == "inverted":
        assert "wrong way round" in rater.reasons[0]


def test_the_peers_of_spammers_are_not_blamed() -> None:
    """Three raters do all clips, and one of them draws lots: the two others agree with each other."""
    for seed in range(5):
        made = simulate(seed, Plan(raters=3, bad=("random",), clips_each=60))
        found = screen(made.answers)
        assert [rater.state for rater in found] == ["excluded", "accepted", "accepted"]
        values = [next(check.value for check in rater.checks if check.check == "agreement") for rater in found]
        assert values[1] == pytest.approx(values[2])  # each is the other's only peer
        assert (values[1] or 0) > 0.7


def test_nobody_is_judged_on_a_handful_of_clips() -> None:
    made = simulate(0, replace(PLAN, clips_each=6, gold=0, repeats=0))
    for rater in screen(made.answers):
        assert rater.state == "not judged"
        assert rater.kept
        assert all(check.result == "not judged" and "needed" in check.says for check in rater.checks)


def test_two_who_disagree_are_both_left_in_peace() -> None:
    """Nothing tells which of them is the bad one."""
    made = simulate(0, Plan(raters=2, bad=("random",), raters_a_clip=2, gold=0, predicted=False))
    for rater in screen(made.answers):
        assert rater.state == "not judged"
        agreement = next(check for check in rater.checks if check.check == "agreement")
        assert "too little for anyone to be judged" in agreement.says


def test_where_predictions_are_good_many_stay_unchanged() -> None:
    """Nobody is lazy who changes as little as all others."""

    def answers(changed_by_r1: int) -> Answers:
        return gathered(
            "depict",
            [
                response(f"c{clip}", rater, (clip * 7 + clip // 5) % 5, changed=clip < changes)
                for rater, changes in (("r0", 4), ("r1", changed_by_r1), ("r2", 3), ("r3", 5))
                for clip in range(40)
            ],
            {},
            {},
        )

    assert [rater.state for rater in screen(answers(2))] == ["accepted"] * 4
    by_change = {
        rater.rater: failed(rater) for rater in screen(with_changes(20, {"r0": 11, "r1": 0, "r2": 9, "r3": 12}))
    }
    assert by_change == {"r0": set(), "r1": {"unchanged"}, "r2": set(), "r3": set()}


def with_changes(clips: int, changes: dict[str, int]) -> Answers:
    said = [
        response(f"c{clip}", rater, (clip * 7 + clip // 5) % 5, changed=clip < changed)
        for rater, changed in changes.items()
        for clip in range(clips)
    ]
    return gathered("depict", said, {}, {})


def response(clip: str, rater: str, level: int, **more: object) -> Response:
    annotation = Annotation(id="a", clip=clip, rater=rater, level=LEVELS[level], attributes=more.pop("attributes", []))
    fields = {"id": f"{clip} {rater}", "task": clip, "record_id": clip, "rater": rater, **more}
    return Response(**fields, annotation=annotation)


def test_haste_and_repeats() -> None:
    said = []
    for rater, seconds, off in (("r0", 3.9, 0), ("r1", 4.1, 0), ("r2", 12.0, 2)):
        for clip in range(20):
            level = (clip * 7 + clip // 5) % 5
            said.append(response(f"c{clip}", rater, level, seconds=seconds))
            if clip < 8:
                again = (level + off) % 5
                said.append(response(f"c{clip} again", rater, again, role="repeat", of=f"c{clip}", seconds=20.0))
    durations = {r.task: 8.0 for r in said}
    found = {rater.rater: rater for rater in screen(gathered("depict", said, {}, durations))}
    assert failed(found["r0"]) == {"haste"}
    assert failed(found["r1"]) == set()
    assert failed(found["r2"]) == {"repeats"}
    assert "20 of 28 tasks took less than half" in found["r0"].reasons[0]


def test_gold_that_most_get_wrong_judges_nobody() -> None:
    said = [response(f"c{clip}", rater, 0, role="gold") for rater in ("r0", "r1") for clip in range(10)]
    known = {f"c{clip}": response(f"c{clip}", "gold", 4).annotation for clip in range(10)}
    for rater in screen(gathered("depict", said, known, {})):
        assert rater.state == "not judged"
        assert "the gold is in doubt" in rater.checks[0].says
    said += [response(f"c{clip}", rater, 4, role="gold") for rater in ("r2", "r3", "r4") for clip in range(10)]
    states = {rater.rater: rater.state for rater in screen(gathered("depict", said, known, {}))}
    assert states == {"r0": "excluded", "r1": "excluded", "r2": "accepted", "r3": "accepted", "r4": "accepted"}


def test_what_is_right() -> None:
    noise, shake, blur = (Attribute(name=name, degree="severe") for name in ("noise", "camera shake", "spatial blur"))

    def of(level: str | None, *attributes: Attribute, score: float | None = None) -> Annotation:
        return Annotation(id="a", clip="a", rater="r", level=level, attributes=list(attributes), score=score)

    assert gold_right(of("fair", noise), of("good", noise, shake))
    assert not gold_right(of("poor", noise), of("good", noise, shake))
    assert not gold_right(of("good", blur), of("good", noise, shake))
    assert not gold_right(of(None, noise), of("good", noise))
    assert gold_right(of("good", noise, blur), of("good"))
    assert gold_right(of("low", noise), of(None, noise))
    assert gold_right(of(None, score=61), of("high"))
    assert set_f1({"a"}, {"a", "b", "c"}) == 0.5
    assert set_f1(set(), set()) == 1


def test_a_person_has_the_last_word() -> None:
    made = simulate(0)
    bad = next(rater for rater, kind in made.bad.items() if kind == "random")
    found = {r.rater: r for r in screen(made.answers, keep=[bad], exclude=["r19"])}
    assert found[bad].state == "accepted"
    assert (found[bad].by_hand or "").startswith("kept by hand in spite of: ")
    assert found["r19"].state == "excluded"
    assert found["r19"].reasons == ["excluded by hand"]
    with pytest.raises(CallError, match="no rater is called 'r99'"):
        screen(made.answers, keep=["r99"])
    with pytest.raises(CallError, match="cannot be kept and excluded"):
        screen(made.answers, keep=["r01"], exclude=["r01"])


def test_thresholds_are_used() -> None:
    made = simulate(0)
    strict = screen(made.answers, Thresholds(agreement_share=1.0))
    below = [rater for rater in strict if rater.rater not in made.bad and "agreement" in failed(rater)]
    assert len(below) >= 4
    lax = screen(made.answers, Thresholds(**{name: 10_000 for name in FIELDS if name.endswith("_items")}))
    assert {rater.state for rater in lax} == {"not judged"}
    with pytest.raises(ValueError, match="gold_right is a share"):
        Thresholds(gold_right=1.5)
    with pytest.raises(ValueError, match="gold_items is 2 or more"):
        Thresholds(gold_items=1)


def test_reviewers_are_screened_by_their_verdicts() -> None:
    def verdict(pair: int, said: str) -> Verdict:
        return Verdict(pair_id=f"p{pair}", verdict=said, reasons=["not visible"] if said == "reject" else [])

    usual = ["accept", "reject", "accept", "accept", "reject"]
    said = []
    for rater in ("r0", "r1", "r2", "r3"):
        for clip in range(10):
            words = ["accept"] * 5 if rater == "r3" else usual
            verdicts = [verdict(5 * clip + index, word) for index, word in enumerate(words)]
            said.append(
                Response(
                    id=f"{rater}{clip}",
                    task=f"t{clip}",
                    record_id=f"c{clip}",
                    rater=rater,
                    verdicts=verdicts,
                    changed=False,
                )
            )
    found = {rater.rater: rater for rater in screen(gathered("review", said, {}, {}))}
    assert [found[name].state for name in ("r0", "r1", "r2")] == ["accepted"] * 3
    assert failed(found["r3"]) == {"agreement", "sameness"}
    assert "over 50 verdicts" in found["r3"].reasons[0]

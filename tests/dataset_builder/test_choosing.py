"""Which pairs are taken: budget, turns of forms, couples of yes and no, caps."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dataset_builder.pairing.choosing import choose, largest_count, within_budget
from dataset_builder.pairing.traits import TRAITS, counts
from schemas.annotation import Annotation, Attribute
from schemas.pair import FAMILIES, Pair
from schemas.recipe import PairsRecipe
from stages.pairs import pairs
from tests.stages.test_stages import NOTE, RICH, record

DEFAULT = PairsRecipe()


def clips(count: int, seed: int = 0) -> list[list[Pair]]:
    """The pairs of many clips, each with the same note."""
    return [list(pairs(replace(RICH, id=f"s/{i}.mp4"), NOTE, "good", seed)) for i in range(count)]


def pair(name: str, answer: str, form: str = "yes-no") -> Pair:
    return Pair(
        id=name,
        record_id=f"s/{name}",
        family="quality-centric",
        form=form,
        question="?",
        answer=answer,  # type: ignore[arg-type]
        evidence=[],
        generator="template:x",
    )


def test_a_clip_gives_seven_pairs_over_all_families() -> None:
    for made in clips(40):
        taken = within_budget(made, DEFAULT, 0)
        assert len(taken) == 7
        assert {p.family for p in taken} == set(FAMILIES)
        assert Counter(TRAITS["yes-no"](p) for p in taken if p.form == "yes-no") in (
            Counter(),
            Counter(yes=1, no=1),
            Counter(yes=1),
            Counter(no=1),
        )


def test_forms_take_turns_and_yes_and_no_are_even() -> None:
    chosen = choose(clips(400), DEFAULT, 0)
    told = counts(chosen.kept)
    assert min(told["form"].values()) > 300
    yes, no = told["yes-no"]["yes"], told["yes-no"]["no"]
    assert abs(yes - no) <= 0.1 * (yes + no)
    assert max(told["letter"].values()) <= 0.4 * sum(told["letter"].values())
    assert len(chosen.kept) + len(chosen.left_out) == sum(map(len, clips(400)))


def test_what_one_family_lacks_goes_to_the_others() -> None:
    note = Annotation(
        id="n",
        clip="c",
        rater="r",
        attributes=[
            Attribute(name="noise", degree="slight"),
            Attribute(name="flicker", degree="severe"),
        ],
    )
    made = list(pairs(record(), note, None, 0))
    assert {p.family for p in made} == {"quality-centric", "temporal-centric"}
    assert len(within_budget(made, DEFAULT, 0)) == 7


def test_a_clip_is_chosen_for_by_itself() -> None:
    uncapped = PairsRecipe(caps={})
    made = clips(30)
    alone = [[p.id for p in choose([one], uncapped, 0).kept] for one in made]
    together = choose(made, uncapped, 0).kept
    assert [p.id for p in together] == [name for names in alone for name in names]


def test_an_answer_that_is_always_the_same_is_left_out() -> None:
    only_no = [[pair(f"n{i}", "No, there is none.")] for i in range(20)]
    chosen = choose(only_no, DEFAULT, 0)
    assert not chosen.kept
    assert {why for _, why in chosen.left_out} == {"yes-no 'no' is in more than 55% of the pairs"}
    mixed = [*only_no, *([pair(f"y{i}", "A. Yes")] for i in range(5))]
    told = counts(choose(mixed, DEFAULT, 0).kept)["yes-no"]
    assert told == {"yes": 5, "no": 6}


@given(st.lists(st.integers(0, 200), min_size=1, max_size=6), st.sampled_from([0.3, 0.4, 0.5, 0.55, 0.9, 1.0]))
def test_as_much_is_kept_as_a_cap_allows(numbers: list[int], cap: float) -> None:
    most = largest_count(numbers, cap)
    cut = [min(number, most) for number in numbers]
    assert not sum(cut) or max(cut) <= cap * sum(cut) + 1e-9
    for better in range(most + 1, max(numbers) + 1):
        more = [min(number, better) for number in numbers]
        assert max(more) > cap * sum(more) - 1e-9


@pytest.mark.parametrize(
    ("answer", "form", "trait", "value"),
    [
        ("A. Yes", "yes-no", "yes-no", "yes"),
        ("No, it is not.", "yes-no", "yes-no", "no"),
        ("C. Severe", "multiple-choice", "letter", "C"),
        ("C. Severe", "multiple-choice", "degree", "severe"),
        ("The noise is slight.", "open", "degree", "slight"),
        ("A car passes.", "open", "letter", None),
    ],
)
def test_traits(answer: str, form: str, trait: str, value: str | None) -> None:
    assert TRAITS[trait](pair("p", answer, form)) == value  # type: ignore[index]

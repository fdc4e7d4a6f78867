"""What licences permit, and what a mix of them does."""

import pytest

from schemas.licence import Terms, terms_of, together

FREE = Terms(redistribute=True, modify=True, commercial=True, attribution=True, share_alike=False)


@pytest.mark.parametrize(
    ("licence", "permits"),
    [
        ("CC-BY-4.0", (True, True, True, True, False)),
        ("cc by-nc-sa 4.0", (True, True, False, True, True)),
        ("CC BY-ND 3.0 US", (True, False, True, True, False)),
        ("CC-BY-NC-ND-4.0", (True, False, False, True, False)),
        ("CC-BY", (True, True, True, True, False)),
        ("CC0-1.0", (True, True, True, False, False)),
        (" apache-2.0 ", (True, True, True, True, False)),
        ("proprietary", (False, False, False, False, False)),
        ("CC-BYE-4.0", (None,) * 5),
        ("CC-BY-4.0 and others", (None,) * 5),
        ("research only", (None,) * 5),
        ("", (None,) * 5),
    ],
)
def test_terms_follow_from_names_that_are_known(licence: str, permits: tuple[bool | None, ...]) -> None:
    terms = terms_of(licence)
    found = (terms.redistribute, terms.modify, terms.commercial, terms.attribution, terms.share_alike)
    assert found == permits


def test_a_mix_permits_what_all_permit_and_asks_for_what_any_asks_for() -> None:
    mixed = together([FREE, terms_of("CC-BY-NC-SA-4.0"), terms_of("CC0-1.0")])
    assert mixed == Terms(redistribute=True, modify=True, commercial=False, attribution=True, share_alike=True)


def test_what_is_not_known_of_one_is_not_known_of_the_mix_unless_another_decides() -> None:
    mixed = together([terms_of("CC-BY-NC-4.0"), Terms()])
    assert mixed == Terms(redistribute=None, modify=None, commercial=False, attribution=True, share_alike=None)
    assert together([]) == Terms()

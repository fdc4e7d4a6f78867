"""What is praised without a word of what could be wrong with it: "the dress keeps all its lace", "her face is fine"."""

from __future__ import annotations

import re

from stages.claims.clauses import PHRASES
from stages.claims.lexicon import Sense
from stages.claims.places import things_of
from stages.claims.words import listed, plain, tokens_of

_PARTS = re.compile(r"[.;,:!?\n]|\b(?:but|while|whereas|although|though|and)\b")
_PRAISE = listed("""
    clean clear calm fine perfect perfectly spotless untouched ok okay lush normal intact unaffected unharmed spared
    faultless impeccable immaculate lovely beautiful pristine flawless keeps keep retains retain kept holds readable
    legible tidy undisturbed unscathed great excellent gorgeous alright right good correct correctly constant still
    quiet steady sharp crisp unblemished unspoiled unspoilt healthy
""")
_UNSURE = listed("""
    no not never hardly barely without less than until before after if would could should only except almost far once
    when isn't aren't wasn't weren't doesn't don't didn't won't can't cannot nothing nor neither otherwise until then
    again somewhat enough too half partly mostly nearly apart how makes make
""")


def praised(text: str) -> frozenset[str]:
    """Give the things that a text praises, each in a clause that says nothing bad, and is sure of it at all times."""
    found: frozenset[str] = frozenset()
    for part in _PARTS.split(plain(text)):
        words = part.replace("spot on", "perfect").split()
        at = next((i for i, word in enumerate(words) if word in _PRAISE), 0)
        if at < 2 or _UNSURE.intersection(words) or any(word[0].isdigit() for word in words):
            continue
        tokens = tokens_of(part)
        if any(isinstance(sense, Sense) and not sense.good for _, _, sense in PHRASES.all_in(tokens)):
            continue
        found |= things_of(" ".join(words[:at]))
    return found

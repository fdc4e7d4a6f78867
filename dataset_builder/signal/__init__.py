"""What the signal itself says of a clip: measures without a reference, and the claims that they contradict.

`measuring` reads clips, `probes` turns measures into evidence for one attribute, `calibrating` finds on clips whose
distortions are known from which evidence on a claim may be contradicted, and `contradicting` does so.
"""

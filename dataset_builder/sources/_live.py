"""The copyright notice under which LIVE (The University of Texas at Austin) gives its databases away."""

from schemas.licence import Terms

LIVE_NOTICE = "LIVE copyright notice"
"""Read in the README of LSVQ: use, copying and change for any purpose, if the notice stays in all copies and the source
is acknowledged. It says nothing of the rights of those who filmed the clips."""
LIVE_TERMS = Terms(modify=True, commercial=True, attribution=True)
"""What follows from that notice; whether clips may be passed on is for those who filmed them to say."""

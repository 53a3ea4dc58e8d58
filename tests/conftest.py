"""For all tests."""

import asyncio
import os

import hypothesis

# Asked for a loop before there is one, Python 3.11 makes one that nobody closes, and pytest-asyncio asks: the warning
# about it (an error here) then hits whichever test the garbage collector runs in. After this, there is "no loop yet".
asyncio.set_event_loop(None)

# How long drawing an example takes says something about the machine, nothing about the code. Explaining a failure costs
# a line trace of each example, failing or not, before Python 3.12.
hypothesis.settings.register_profile(
    "homerun",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    phases=[phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.explain],
)
# For the fast tier, which is run many times a day; everything else takes 100 examples.
hypothesis.settings.register_profile("quick", hypothesis.settings.get_profile("homerun"), max_examples=20)

# For scripts/test, which has twenty minutes on two cores.
hypothesis.settings.register_profile("half", hypothesis.settings.get_profile("homerun"), max_examples=50)

# The long run of all properties: HYPOTHESIS_PROFILE=thorough pytest
hypothesis.settings.register_profile("thorough", hypothesis.settings.get_profile("homerun"), max_examples=10_000)

# From the environment, because it reaches the workers of a parallel run before they read a test.
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "homerun"))

"""Names the files that hold the fixtures; a fixture itself never stands here."""

from hypothesis import HealthCheck, settings

# How fast a machine is today says nothing about the code; what takes too long is ended by the tests' own limit.
settings.register_profile("ours", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ours")

pytest_plugins = [
    "tests.counterparts.program",
    "tests.counterparts.llama",
    "tests.counterparts.aimock",
    "tests.counterparts.upstream",
    "tests.counterparts.claude",
    "tests.counterparts.neighbour",
    "tests.counterparts.desktop_keyring",
    "tests.counterparts.oidc",
    "tests.counterparts.transcripts",
    "tests.living",
    "tests.rights",
]

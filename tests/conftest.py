"""Names the files that hold the fixtures; a fixture itself never stands here."""

pytest_plugins = [
    "tests.counterparts.program",
    "tests.counterparts.llama",
    "tests.counterparts.aimock",
    "tests.counterparts.upstream",
    "tests.counterparts.transcripts",
    "tests.living",
]

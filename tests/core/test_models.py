"""What is known of a model, put together: the provider's own word before anybody else's."""

from __future__ import annotations

from msgspec.structs import replace

from pointsman.core.models import Facts, Model, completed, without_secrets
from pointsman.core.pricing import Price
from pointsman.core.secret import Secret
from tests.each import each

NAMED = Model("up:short", "up", "long", "short", (), "config")
OWN, OTHER = Price(1.0, 2.0, "up"), Price(3.0, 4.0, "genai-prices")
LIVE = Model("up:long", "up", "long", "Long", ("tools",), "live", 1000, 100, OWN, None, "2026-11-18T12:00:00Z")
FACTS = Facts("genai-prices", 2000, OTHER)


def test_a_name_of_the_definition_has_what_the_provider_says_of_its_id() -> None:
    assert completed(NAMED, LIVE, FACTS, True) == Model(
        "up:short", "up", "long", "short", ("tools",), "config", 1000, 100, OWN, None, "2026-11-18T12:00:00Z"
    )


def test_others_fill_in_what_the_provider_does_not_say() -> None:
    assert completed(NAMED, None, FACTS, True) == replace(
        NAMED, context_window=2000, context_source="genai-prices", price=OTHER
    )
    silent = replace(LIVE, context_window=None, price=None)
    assert completed(silent, None, FACTS, True) == replace(
        silent, context_window=2000, context_source="genai-prices", price=OTHER
    )
    assert completed(silent, None, Facts("genai-prices"), True) == silent
    assert completed(silent, None, None, True) == silent


def test_what_runs_on_this_machine_has_no_price() -> None:
    assert completed(LIVE, None, FACTS, False) == replace(LIVE, price=None)
    assert completed(NAMED, None, FACTS, False).price is None


def test_a_model_that_is_called_by_a_secret_is_left_out() -> None:
    key, other = Secret("sk-4-fake-key"), Secret("sk-another-fake-key")
    found = [LIVE, *(replace(LIVE, id=id) for id in ("sk-4-fake-key", "m/sk%2D4-fake-key", "sk-another-fake-key"))]
    named = replace(LIVE, name="of sk-4-fake-key")
    assert without_secrets([*found, named], [key]) == [LIVE, found[3]]
    assert without_secrets([*found, named], []) == [*found, named]
    assert other


@each(
    ("key", "left_out"),
    [
        ("lm-studio", False),
        ("not-needed", False),
        ("no-key-required", False),
        ("lm-studio-secret", True),
        ("lm-studi0", True),
        ("ollama1", False),
        ("canary-a-0123456789abcdef01234567", True),
    ],
)
def test_a_placeholder_leaves_no_model_out(key: str, left_out: bool) -> None:
    model = replace(LIVE, id=f"{key}/qwen")
    assert without_secrets([model], [Secret(key)]) == ([] if left_out else [model])

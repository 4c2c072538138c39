"""From a name to targets: the rules of naming in their order, chains, circles, and what is nearest to a wrong name."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.core.catalogue import Catalogue, Chain, Provider, nearest
from pointsman.core.errors import (
    ConfigError,
    PointsmanError,
    RouteError,
    UnknownChain,
    UnknownModel,
    UnknownProvider,
)
from pointsman.core.routing import Plan, Route, Target, plan, resolve, with_fallback
from tests.each import each


def provider(id: str, default: str | None = None, models: tuple[str, ...] = (), **aliases: str) -> Provider:
    short = {name.replace("_", "-"): model for name, model in aliases.items()}
    return Provider(id=id, base_url=f"https://{id}.example", default_model=default, models=models, aliases=short)


PROVIDERS = [
    provider("openrouter", "sonnet-4", gpt_4="openai/gpt-4", sonnet_4="anthropic/sonnet-4", shared="or/shared"),
    provider("openai", "gpt-4", ("gpt-4", "gpt-4-turbo")),
    provider("poe", cheap="glm-4.6", shared="poe/shared"),
    provider("bare"),
    provider("ollama", "qwen3:8b", ("qwen3:8b",)),
]
CATALOGUE = Catalogue(
    providers={p.id: p for p in PROVIDERS},
    aliases={
        "best": "openrouter:sonnet-4",
        "cheap": "openai:gpt-4",
        "mine": "best",
        "local": "ollama",
        "any": "chain:coding",
        "gpt-4-turbo": "poe:cheap",
        "as-here": "shared",
        "round": "trip",
        "trip": "round",
        "self": "self",
    },
    chains={
        "coding": Chain(("openrouter:sonnet-4", "openai:gpt-4", "ollama")),
        "twice": Chain(("best", "openai:gpt-4", "openrouter:sonnet-4", "chain:coding")),
        "nested": Chain(("poe:cheap", "chain:coding")),
        "loop": Chain(("chain:back",)),
        "back": Chain(("chain:loop",)),
        "broken": Chain(("nothing-of-that-name", "openai:gpt-4", "nobody:m", "chain:loop", "chain:lost")),
        "lost": Chain(("nothing-of-that-name", "nobody:m")),
        "outer": Chain(("chain:broken", "ollama")),
    },
    default="openai:gpt-4",
)
SONNET, GPT, QWEN = "openrouter:anthropic/sonnet-4", "openai:gpt-4", "ollama:qwen3:8b"
KNOWN = {"poe": {"Live-Model", "qwen3:0.6b"}, "openai": {"gpt-9"}}


def check(name: str, targets: list[str], rule: str, spec: str | None = None, current: str | None = None) -> None:
    route = resolve(CATALOGUE, name, current, KNOWN)
    assert [str(target) for target in route.targets] == targets
    assert (route.rule, route.spec) == (rule, spec or name.strip())


@each(
    ("name", "target", "rule"),
    [
        ("openrouter:gpt-4", "openrouter:openai/gpt-4", "provider openrouter is named"),
        ("openrouter:openai/gpt-4", "openrouter:openai/gpt-4", "provider openrouter is named"),
        ("openrouter:of-tomorrow", "openrouter:of-tomorrow", "provider openrouter is named"),
        (" openai:gpt-4\n", "openai:gpt-4", "provider openai is named"),
        ("ollama:qwen3:8b", QWEN, "provider ollama is named"),
        ("poe:cheap", "poe:glm-4.6", "provider poe is named"),
        ("openrouter", SONNET, "default model of openrouter"),
        ("ollama", QWEN, "default model of ollama"),
        ("best", SONNET, "alias best"),
        ("mine", SONNET, "alias mine"),
        ("local", QWEN, "alias local"),
        ("cheap", "openai:gpt-4", "alias cheap"),
    ],
)
def test_names_that_mean_the_same_to_everybody(name: str, target: str, rule: str) -> None:
    for current in (None, "openai", "poe", "gone"):
        check(name, [target], rule, current=current)


@each(
    ("name", "current", "target", "rule"),
    [
        ("gpt-4", "openrouter", "openrouter:openai/gpt-4", "model of the current provider openrouter"),
        ("gpt-4", "openai", GPT, "model of the current provider openai"),
        ("gpt-4", None, GPT, "model of the default provider openai"),
        ("gpt-4", "poe", GPT, "model of the default provider openai"),
        ("shared", "poe", "poe:poe/shared", "model of the current provider poe"),
        ("shared", "openrouter", "openrouter:or/shared", "model of the current provider openrouter"),
        ("Live-Model", "poe", "poe:Live-Model", "model of the current provider poe"),
        ("gpt-9", "poe", "openai:gpt-9", "model of the default provider openai"),
        ("qwen3:8b", "ollama", QWEN, "model of the current provider ollama"),
        ("qwen3:0.6b", "poe", "poe:qwen3:0.6b", "model of the current provider poe"),
    ],
)
def test_a_bare_name_is_the_current_provider_s_then_the_default_one_s(
    name: str, current: str | None, target: str, rule: str
) -> None:
    check(name, [target], rule, f"{target.partition(':')[0]}:{name}", current)


def test_the_default_may_be_an_alias() -> None:
    catalogue = replace(CATALOGUE, default="mine")
    assert resolve(catalogue, "shared", "bare").targets == (Target("openrouter", "or/shared"),)
    refuse(UnknownModel, "shared", catalogue=replace(CATALOGUE, default="round"))


def test_an_alias_wins_over_a_model_of_that_name() -> None:
    check("gpt-4-turbo", ["poe:glm-4.6"], "alias gpt-4-turbo", current="openai")


def test_a_named_provider_s_own_alias_wins_over_one_for_all() -> None:
    assert CATALOGUE.aliases["cheap"] != "poe:cheap"
    check("poe:cheap", ["poe:glm-4.6"], "provider poe is named")


def test_an_alias_of_a_bare_name_depends_on_who_asks() -> None:
    check("as-here", ["poe:poe/shared"], "alias as-here", current="poe")
    check("as-here", ["openrouter:or/shared"], "alias as-here", current="openrouter")


@each(
    ("name", "targets"),
    [
        ("chain:coding", [SONNET, GPT, QWEN]),
        ("chain:twice", [SONNET, GPT, QWEN]),
        ("chain:nested", ["poe:glm-4.6", SONNET, GPT, QWEN]),
    ],
)
def test_a_chain_is_all_its_links_in_order_and_none_twice(name: str, targets: list[str]) -> None:
    check(name, targets, f"chain {name.removeprefix('chain:')}")


def test_an_alias_may_lead_to_a_chain() -> None:
    check("any", [SONNET, GPT, QWEN], "alias any")


def refuse(
    kind: type[PointsmanError], name: str, *words: str, current: str | None = None, catalogue: Catalogue = CATALOGUE
) -> None:
    with pytest.raises(kind) as refused:
        resolve(catalogue, name, current, KNOWN)
    assert type(refused.value) is kind
    for word in words:
        assert word in str(refused.value)


@each(
    ("name", "path"),
    [
        ("round", "round → trip → round"),
        ("trip", "trip → round → trip"),
        ("self", "self → self"),
        ("chain:loop", "chain:loop → chain:back → chain:loop"),
    ],
)
def test_a_circle_is_told_with_its_path(name: str, path: str) -> None:
    refuse(ConfigError, name, path)


@each(
    ("kind", "name", "words"),
    [
        (UnknownProvider, "opnrouter:gpt-4", ["'opnrouter'", "openrouter"]),
        (UnknownChain, "chain:codign", ["'codign'", "coding"]),
        (UnknownChain, "chain:", ["There are:", "coding"]),
        (UnknownModel, "openrouter:", ["openrouter", "default model"]),
        (UnknownModel, "bare", ["no default model", "bare:model-name"]),
        (UnknownModel, "poe", ["no default model", "poe:cheap"]),
        (UnknownModel, "gpt-4-trubo", ["gpt-4-turbo", "provider:model"]),
        (UnknownModel, "bset", ["best"]),
        (UnknownModel, "openroutr", ["openrouter"]),
        (UnknownModel, "live-model", ["Live-Model"]),
        (UnknownModel, "zzz:yyy", ["'zzz:yyy'"]),
        (UnknownModel, "", ["''"]),
        (UnknownModel, "sonnet-4", ["openrouter:sonnet-4", "not a model of the current provider"]),
        (UnknownModel, "chain:lost", ["nothing-of-that-name"]),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(kind: type[RouteError], name: str, words: list[str]) -> None:
    refuse(kind, name, *words, current="poe")


LOST = {
    "unknown:nothing-of-that-name": "No model, alias or provider is called 'nothing-of-that-name'.",
    "nobody:m": "No model, alias or provider is called 'nobody:m'.",
    "chain:loop": "The names go in a circle: chain:broken → chain:loop → chain:back → chain:loop.",
    "chain:lost": "No model, alias or provider is called 'nothing-of-that-name'.",
}


@each("name", ["chain:broken", "chain:outer"])
def test_a_link_that_leads_nowhere_costs_nobody_else(name: str) -> None:
    route = resolve(CATALOGUE, name)
    assert [str(target) for target in route.targets] == [GPT, QWEN][: 1 + (name == "chain:outer")]
    told = {str(target): reason.replace("chain:outer → ", "") for target, reason in route.lost}
    assert told == LOST
    made = plan(route, lambda target: "no key" if target.provider == "ollama" else None)
    assert made.left_out == (*route.lost, *made.skipped)
    with pytest.raises(UnknownModel, match="nothing-of-that-name"):
        resolve(CATALOGUE, name, strict=True)


def test_an_empty_chain_is_told() -> None:
    refuse(ConfigError, "chain:none", "is empty", catalogue=Catalogue({}, chains={"none": Chain(())}))


def test_where_nothing_is_configured_that_is_said() -> None:
    refuse(UnknownChain, "chain:any", "No chain is configured yet.", catalogue=Catalogue({}))
    refuse(UnknownModel, "any", "No model is configured yet.", catalogue=Catalogue({}))


def test_a_provider_that_has_gone_is_no_provider() -> None:
    rest = {id: p for id, p in CATALOGUE.providers.items() if id != "openai"}
    refuse(UnknownProvider, "openai:gpt-4", "openrouter", catalogue=replace(CATALOGUE, providers=rest))
    refuse(UnknownModel, "gpt-4-mini", "gpt-4", catalogue=replace(CATALOGUE, providers=rest), current="openai")


NAMES = st.builds(str.__add__, st.sampled_from(["", "", "p:", "q:", "x:", "chain:"]), st.sampled_from(["", *"abcpq"]))


@settings(deadline=None)
@given(
    st.dictionaries(NAMES, NAMES, max_size=5),
    st.dictionaries(st.sampled_from("abc"), st.lists(NAMES, max_size=4).map(tuple).map(Chain), max_size=3),
    st.none() | NAMES,
    NAMES,
    st.none() | NAMES,
)
def test_a_name_leads_to_targets_or_to_an_error_of_ours(
    aliases: dict[str, str], chains: dict[str, Chain], default: str | None, name: str, current: str | None
) -> None:
    both = {"p": provider("p", "a", a="x"), "q": provider("q", models=("b",))}
    try:
        route = resolve(Catalogue(both, aliases, chains, default), name, current)
    except (RouteError, ConfigError) as error:
        assert error.advice
    else:
        assert route.targets
        assert {target.provider for target in route.targets} <= both.keys()
        assert len(set(route.targets)) == len(route.targets)


def test_the_nearest_names() -> None:
    assert nearest("gtp-4", ["gpt-4", "gpt-4-turbo", "claude"])[0] == "gpt-4"
    assert nearest("zzz", ["gpt-4"]) == []
    assert len(nearest("gpt", [f"gpt{n}" for n in range(9)])) == 5
    assert nearest("x" * 10**7, ["gpt-4"]) == []


def test_a_plan_keeps_the_order_and_says_why_a_target_was_left_out() -> None:
    a, b, c = (Target(id, "m") for id in "abc")
    route = Route("chain:x", (a, b, c), "chain x")
    reasons = {b: "no key"}
    assert plan(route, reasons.get) == Plan(route, (a, c), ((b, "no key"),))
    assert plan(route, lambda _: "no").targets == ()


A, B, C, D = (Target("p", name) for name in "abcd")
NO, TOO_SMALL, OUT = {A: "no key"}, {B: "too small"}, {C: "cooling"}


@each(
    ("asked", "targets", "skipped", "held"),
    [
        ((A, B, C, D), (D,), "no key, too small, cooling", (C,)),
        ((A, B, C), (), "no key, too small, cooling", (C,)),
        ((A, B), (B,), "no key", ()),
        ((B,), (B,), "", ()),
        ((C,), (), "cooling", (C,)),
        ((A,), (), "no key", ()),
    ],
)
def test_who_does_not_fit_is_asked_if_there_is_nobody_else(
    asked: tuple[Target, ...], targets: tuple[Target, ...], skipped: str, held: tuple[Target, ...]
) -> None:
    found = plan(Route("x", asked, "x"), NO.get, TOO_SMALL.get, OUT.get)
    assert (found.targets, found.held) == (targets, held)
    assert ", ".join(reason for _, reason in found.skipped) == skipped


PATTERNED = Catalogue(
    providers={
        "openai": provider("openai", "gpt-4", ("gpt-4", "qwen-mine")),
        "cloud": Provider(
            id="cloud", base_url="https://cloud.example", patterns=("kimi*", "qwen*"), aliases={"qwen": "qwen3"}
        ),
        "other": provider("other", "kimi-own", ("kimi-own",)),
    },
    aliases={"kimi-alias": "openai:gpt-4"},
    default="openai:gpt-4",
)


@each(
    ("name", "current", "target"),
    [
        ("kimi-k2:1t", None, "cloud:kimi-k2:1t"),
        ("kimi-own", "other", "other:kimi-own"),
        ("kimi-own", "openai", "cloud:kimi-own"),
        ("kimi-alias", None, "openai:gpt-4"),
        ("qwen-mine", None, "cloud:qwen-mine"),
        ("qwen", None, "cloud:qwen3"),
        ("openai:kimi", None, "openai:kimi"),
    ],
)
def test_a_pattern_comes_behind_the_provider_in_use_and_before_the_default(
    name: str, current: str | None, target: str
) -> None:
    assert list(map(str, resolve(PATTERNED, name, current).targets)) == [target]


def test_a_pattern_leads_to_nobody_who_cannot_be_asked() -> None:
    assert str(resolve(PATTERNED, "qwen-mine", usable=lambda id: id != "cloud").targets[0]) == "openai:qwen-mine"
    with pytest.raises(UnknownModel):
        resolve(PATTERNED, "kimi-k2", usable=lambda id: id != "cloud")


def test_a_chain_says_how_its_targets_are_ordered_and_what_a_broken_answer_does() -> None:
    chain = Chain(("openai:gpt-4",), "cheapest", "continue")
    found = replace(CATALOGUE, chains={"c": chain}, aliases={"a": "chain:c"})
    for name in ("chain:c", "a"):
        route = resolve(found, name)
        assert (route.strategy, route.on_break, route.chain) == ("cheapest", "continue", "c")


# What stands in


def local(id: str, model: str) -> Provider:
    """A server on this machine."""
    return Provider(id=id, base_url="http://localhost", kind="local", default_model=model)


HOUSE = Catalogue(
    providers={
        "here": local("here", "llama"),
        "there": local("there", "small"),
        "openai": provider("openai", "gpt-4"),
        "other": provider("other", "large"),
    },
    chains={"both": Chain(("other", "there")), "one": Chain(("openai",))},
)


@each(
    ("named", "fallback", "targets", "standing_in"),
    [
        ("openai", "other", "openai:gpt-4 other:large", "other:large"),
        ("openai", "openai:gpt-4", "openai:gpt-4", ""),
        ("openai", "chain:both", "openai:gpt-4 other:large there:small", "other:large there:small"),
        ("here", "chain:both", "here:llama there:small", "there:small"),
        ("here", "other", "here:llama", ""),
        ("chain:one", "other", "openai:gpt-4", ""),
    ],
)
def test_what_stands_in_comes_behind(named: str, fallback: str, targets: str, standing_in: str) -> None:
    route = with_fallback(HOUSE, resolve(HOUSE, named), resolve(HOUSE, fallback))
    assert " ".join(map(str, route.targets)) == targets
    assert " ".join(map(str, route.fallback)) == standing_in
    assert route.spec == named


def test_who_was_not_named_is_said_aloud() -> None:
    first, second = Target("openai", "gpt-4"), Target("other", "large")
    route = Route("openai:gpt-4", (first, second), "", fallback=(second,))
    assert Plan(route, (first, second), ()).aloud(first) is None
    said = "other:large stands in for openai:gpt-4, as your `fallback` says."
    assert Plan(route, (first, second), ()).aloud(second) == said
    assert (
        Plan(replace(route, notice="The default has no key."), (first,), ()).aloud(first) == "The default has no key."
    )

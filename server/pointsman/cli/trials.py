"""How the test of a provider looks: its steps, or a table of many. Must never ask the daemon."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pointsman.cli.failures import translated
from pointsman.cli.terminal import note, print_table, say

HEAD = ("", "provider", "there", "key", "models", "says", "what is wrong")


def show_trial(id: str, result: Mapping[str, Any]) -> None:
    """One provider: how it went, and what each step took."""
    if result["ok"]:
        say(f"ok   {id}: {_models(result['models'])}, {result['milliseconds']} ms")
    else:
        say(f"BAD  {id}: {result['error']['message']}")
    for step in result.get("steps", []):
        say(f"     {WORDS[step['step']]:<12} {_outcome(step)}")
    if not result["ok"]:
        note(f"     → {translated(result['error']['advice'])}")


def show_trials(results: Mapping[str, Mapping[str, Any]], idle: Collection[str]) -> None:
    """A table of many, and below it what to do about those that failed; `idle` are those that need not run."""
    marks = {id: "ok" if result["ok"] else "off" if id in idle else "BAD" for id, result in results.items()}
    print_table(HEAD, [_row(marks[id], id, result) for id, result in results.items()])
    for id, result in results.items():
        if marks[id] == "BAD":
            note(f"{id} → {translated(result['error']['advice'])}")


WORDS = {"reach": "is there", "authenticate": "takes the key", "list": "lists models", "say": "answers"}


def _row(mark: str, id: str, result: Mapping[str, Any]) -> tuple[str, ...]:
    steps = {step["step"]: step for step in result.get("steps", [])}
    models = str(result["models"]) if result["ok"] else ""
    wrong = "" if result["ok"] else result["error"]["message"]
    return mark, id, _time(steps.get("reach")), _time(steps.get("authenticate")), models, _time(steps.get("say")), wrong


def _models(count: int) -> str:
    return "1 model" if count == 1 else f"{count} models"


def _time(step: Mapping[str, Any] | None) -> str:
    if step is None:
        return ""
    return f"{step['milliseconds']} ms" if step["outcome"] == "ok" else "–" if step["outcome"] == "skipped" else "no"


def _outcome(step: Mapping[str, Any]) -> str:
    detail = step.get("detail", "")
    if step["outcome"] == "ok":
        return f"{step['milliseconds']} ms  {detail}".rstrip()
    return detail if step["outcome"] == "skipped" else "no"

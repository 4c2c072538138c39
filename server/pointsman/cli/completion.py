"""The command `completion`: what a shell needs to complete our commands. Must never start the daemon for that."""

from __future__ import annotations

from collections.abc import Mapping

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, get_completion_class

from pointsman.cli.examples import WithExamples

VARIABLE = "_POINTSMAN_COMPLETE"
NAME = "pointsman"


@click.command(cls=WithExamples)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    """Print the script that completes our commands in a shell.

    Names of models, providers, aliases and chats come from the daemon if it runs; it is never started for them.
    """
    found = get_completion_class(shell)
    assert found is not None, "click knows these shells"
    click.echo(found(ctx.find_root().command, {}, NAME, VARIABLE).source(), nl=False)
    return 0


def check(environment: Mapping[str, str]) -> None:
    """Raises UsageError where a completion is asked for without the words that a shell gives."""
    shell, _, asked = environment.get(VARIABLE, "").partition("_")
    at = environment.get("COMP_CWORD", "")
    if asked == "complete" and not ("COMP_WORDS" in environment and (at.isdecimal() or shell == "fish")):
        raise click.UsageError(
            f"{VARIABLE} is for a shell's completion, which gives COMP_WORDS and COMP_CWORD, too. Unset it."
        )


@add_completion_class
class ColonBash(BashComplete):
    """Bash takes `provider:model` for three words: they are put together again, and only the last is answered with."""

    name = "bash"
    _had = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the cursor, and the one at it, as they were typed."""
        words, incomplete = super().get_completion_args()
        joined: list[str] = []
        last = ""
        for word in (*words, incomplete):
            if joined and ":" in {word, last}:
                joined[-1] += word
            else:
                joined.append(word)
            last = word
        *words, whole = joined
        self._had = whole[: whole.rfind(":") + 1] if whole != incomplete else ""
        return words, whole

    def format_completion(self, item: CompletionItem[str]) -> str:
        """A completion without the part of it that bash keeps."""
        return super().format_completion(CompletionItem(item.value.removeprefix(self._had), item.type))

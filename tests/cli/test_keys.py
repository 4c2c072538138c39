"""The commands `keys`: a key is typed or piped in, never a word of the command line, and never shown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.shell import Shell
from tests.counterparts import scripts
from tests.counterparts.upstream import Upstream, serving
from tests.living import Home, provider

KEY, OTHER, PLAIN = "canary-key-typed-31f7", "canary-key-piped-82c9", "canary-key-plain-5d1e"
BEARER = ('auth = { scheme = "bearer", env = "CORP_LLM_KEY" }', "max_retries = 0")


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """A provider for all tests of the file."""
    with serving() as server:
        yield server


@pytest.fixture
def corp(lasting_shell: Shell, upstream: Upstream) -> Iterator[Shell]:
    """A shell with a provider that has no key yet, and afterwards has none again."""
    yield _corp(lasting_shell, upstream)
    for key in lasting_shell.json("keys", "list", "corp")["keys"]:
        if key["stored"]:
            lasting_shell.run("keys", "remove", "corp", "--label", key["name"])


def _corp(shell: Shell, upstream: Upstream, *lines: str) -> Shell:
    shell.configure(provider("corp", upstream.base_url, *BEARER, *lines))
    shell.run("config", "check")
    return shell


def test_a_key_is_typed_without_being_shown(corp: Shell) -> None:
    terminal = corp.terminal("keys", "add", "corp", "--label", "mine")
    terminal.shows("Key for corp (not shown): ")
    terminal.types(f"{KEY}\n")
    assert terminal.ends() == 0
    assert "canary-k… is stored as 'mine', for http://127.0.0.1:" in terminal.seen
    assert KEY not in terminal.seen
    listed = corp.run("keys")
    assert listed.stdout.split("\t")[:4] == ["corp", "stored", "mine", "canary-k…"]
    assert KEY not in listed.stdout + listed.stderr


def test_a_key_comes_by_a_pipe_and_goes(corp: Shell) -> None:
    done = corp.run("keys", "add", "corp", "-", given=f"{OTHER}\n", CORP_LLM_KEY=KEY)
    assert (done.returncode, "is stored as 'key'" in done.stdout) == (0, True)
    assert "There is one in CORP_LLM_KEY, too, so they take turns here." in done.stderr
    assert corp.run("keys", "test", "corp").stdout.split("\t")[:3] == ["ok", "corp", "stored key"]
    removed = corp.run("keys", "remove", "corp")
    assert "corp: the key canary-k…, 'key', is removed." in removed.stdout
    again = corp.run("keys", "remove", "corp")
    assert (again.returncode, "[UnknownCredential]" in again.stderr) == (1, True)
    assert corp.run("keys", "test", "corp").stderr.startswith("There is no key that could be tried.")


def test_the_list_says_why_no_key_is_used(corp: Shell) -> None:
    assert corp.run("keys", "list", "corp").stderr == "corp has no keys. `pointsman keys add corp` stores one.\n"
    assert corp.run("keys", "add", "corp", "-", given=KEY).returncode == 0
    assert corp.run("try", "corp", "-", "--no-test", given=OTHER).returncode == 0
    assert "corp is asked with the temporary key canary-k… for now, and with none of these." in corp.run("keys").stderr
    assert corp.run("sessions", "end").returncode == 0
    assert corp.run("keys").stderr == ""
    found = corp.run("keys", "test", "corp", CORP_BASE_URL="http://127.0.0.1:9/v1")
    assert found.stderr == "There is no key that could be tried. `pointsman keys list corp` says why.\n"


def test_the_list_and_the_trial_name_a_source_alike(corp: Shell, upstream: Upstream) -> None:
    _corp(corp, upstream, 'keys = [{ command = ["no-such-program"] }]')
    assert corp.run("keys").stdout.split("\t")[1:3] == ["program", "no-such-program"]
    assert corp.run("keys", "test").stdout.split("\t")[2] == "program no-such-program"


def test_a_plan_that_signs_in_by_itself_takes_no_key(corp: Shell) -> None:
    done = corp.run("keys", "add", "claude-code-max", "-", given=KEY)
    assert (done.returncode, "is asked by its own program, which signs in by itself." in done.stderr) == (1, True)


def test_the_audit_reads_as_people_speak(corp: Shell) -> None:
    corp.run("keys", "add", "corp", "-", given=KEY)
    assert corp.run("chat", "-m", "corp:count:1", "hello").returncode == 0
    assert "\tused first\tcorp\t" in corp.run("audit", "corp").stdout
    assert corp.run("audit", "other").stderr == "Nothing has happened to a stored key or account of 'other' yet.\n"


def test_a_key_that_is_refused_is_not_stored(corp: Shell, upstream: Upstream) -> None:
    upstream.script("/v1/models", scripts.error(401, f"Incorrect API key: {KEY}"))
    done = corp.run("keys", "add", "corp", "-", given=KEY)
    assert (done.returncode, "The key was not stored" in done.stderr, KEY in done.stderr) == (1, True, False)
    assert "To store it untried, use `--no-test`. [" in done.stderr
    assert corp.run("keys", "add", "corp", "-", "--no-test", given=KEY).returncode == 0
    tried = corp.run("keys", "test", "corp")
    assert (tried.returncode, tried.stdout.split("\t")[0]) == (1, "BAD")
    upstream.script("/v1/models")


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (("add", "corp", "sk-not-a-real-key-0123"), ""),
        (("add", "corp", "--label", "sk-not-a-real-key-0123"), ""),
        (("add", "corp", "word"), ""),
        (("add", "corp", "-", "-"), KEY),
        (("add", "corp", "-"), ""),
        (("add", "corp", "-"), "two words"),
        (("add", "corp"), KEY),
        (("remove", "sk-not-a-real-key-0123"), ""),
        (("add",), ""),
        (("--json", "add", "corp", "-"), KEY),
    ],
)
def test_a_wrong_command_line_stores_nothing_and_repeats_no_key(
    corp: Shell, words: tuple[str, ...], given: str
) -> None:
    done = corp.run("keys", *words, given=given)
    assert (done.returncode, done.stdout) == (2, "")
    assert "not-a-real-key" not in done.stderr
    assert KEY not in done.stderr
    assert corp.json("keys")["keys"] == []


def test_a_key_in_plain_text_is_flagged_and_moved(corp: Shell, upstream: Upstream) -> None:
    _corp(corp, upstream, f'api_key = "{PLAIN}"  # mine')
    wanted = "A key of corp stands in plain text. Move it: `pointsman keys adopt corp`."
    for words in (("keys",), ("config", "check"), ("doctor",)):
        done = corp.run(*words)
        assert wanted in done.stdout + done.stderr, words
        assert PLAIN not in done.stdout + done.stderr
    done = corp.run("keys", "adopt", "corp")
    assert "corp: the key canary-k… is stored as 'key'" in done.stdout
    assert PLAIN not in corp.home.file.read_text()
    assert corp.run("config", "check").stderr == ""
    assert corp.run("keys", "adopt", "corp").returncode == 1


def test_what_is_marked_has_a_legend(corp: Shell, upstream: Upstream) -> None:
    corp.configure(provider("corp", upstream.base_url, 'auth.scheme = "passthrough"'))
    corp.run("config", "check")
    terminal = corp.terminal("keys")
    assert terminal.ends() == 0
    assert "↪ each chat" in terminal.seen
    assert "↪ the key comes with each chat, and is never kept" in terminal.seen
    assert corp.run("keys").stdout.split("\t")[1] == "each chat"


def test_sources_may_be_named_on_the_command_line(corp: Shell) -> None:
    sources = '["env:CORP_1", "file:~/key", "!OAUTH", { command = ["pass", "show", "corp"] }]'
    assert corp.run("providers", "edit", "corp", "--no-test", f"keys={sources}").returncode == 0
    assert corp.run("providers", "edit", "corp", "--no-test", f"api_key={KEY}").returncode == 2


def test_nothing_is_stored_where_nothing_is(shell: Shell) -> None:
    assert isinstance(shell.home, Home)
    done = shell.run("keys")
    assert (done.stdout, done.stderr) == ("", "There are no keys. `pointsman keys add PROVIDER` stores one.\n")

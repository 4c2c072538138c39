"""`pointsman try` and `pointsman sessions`: a key for a while, typed or piped, and never on the command line."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from tests.cli.shell import Shell
from tests.counterparts.scripts import Reply
from tests.counterparts.upstream import Upstream
from tests.living import provider

KEY = "tried-key-0123456789-not-real"
AUTH = 'auth = { scheme = "bearer", env = "CORP_KEY" }'


@pytest.fixture
def corp(shell: Shell, upstream: Upstream) -> Shell:
    """A provider `corp`, without a key."""
    shell.configure(provider("corp", upstream.base_url, AUTH, "max_retries = 0", 'name = "Corp gateway"'))
    return shell


def keys(upstream: Upstream) -> set[str | None]:
    return {request.header("authorization") for request in upstream.requests}


def no_trace(shell: Shell) -> None:
    for file in shell.home.folder.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file


def test_a_key_from_a_pipe(corp: Shell, upstream: Upstream) -> None:
    done = corp.run("try", "corp", "count:3", "-", "--minutes", "30", given=f"{KEY}\n")
    assert done.returncode == 0, done
    said = re.fullmatch(
        r"Corp gateway is asked with the key tried-ke… in every editor until (\S+ )?(\d\d:\d\d:\d\d)\.\n", done.stdout
    )
    assert said, done.stdout
    (id,) = re.findall(r"`pointsman sessions end (\w+)`", done.stderr)
    assert "pointsman use --clear --scope global" in done.stderr
    assert upstream.request(0).path == "/v1/models", "it was tried first"
    answer = corp.run("chat", "hello")
    assert (answer.stdout, answer.returncode) == ("0 1 2 \n", 0)
    assert answer.stderr.startswith("→ corp:count:3 (temporary tried-ke…)\n")
    assert keys(upstream) == {f"Bearer {KEY}"}
    (listed,) = corp.json("sessions")["sessions"]
    at = datetime.fromisoformat(listed["expiresAt"]).astimezone()
    assert (listed["id"], at.strftime("%H:%M:%S")) == (id, said[2])
    assert re.search(r"\tactive, temporary key (30:00|29:\d\d)\t", corp.run("providers").stdout)
    assert "asked with the temporary key tried-ke… until " in corp.run("explain").stdout
    row = corp.run("sessions").stdout.rstrip("\n").split("\t")
    assert (row[:3], row[4:6]) == ([id, "corp", "tried-ke…"], ["global", "in use here"])
    assert re.fullmatch(r"(30:00|29:\d\d)", row[3])
    assert KEY not in done.stdout + done.stderr + corp.run("sessions", "--json").stdout
    no_trace(corp)


def test_a_key_that_is_typed_is_not_shown(corp: Shell, upstream: Upstream) -> None:
    terminal = corp.terminal("try", "corp", "--scope", "workspace")
    terminal.shows("Key for Corp gateway (not shown)")
    terminal.types(f"{KEY}\r")
    terminal.shows("in this folder")
    assert terminal.ends() == 0
    assert KEY not in terminal.seen
    assert keys(upstream) == {f"Bearer {KEY}"}
    (listed,) = corp.json("sessions")["sessions"]
    assert listed["workspace"] == str(corp.home.workspace)
    assert 3500 < listed["secondsLeft"] <= 3600, "an hour, unless said otherwise"


def test_a_key_that_is_refused_begins_nothing_unless_that_is_wanted(corp: Shell, upstream: Upstream) -> None:
    upstream.script("/v1/models", Reply(b'{"error": {"message": "no"}}', status=401))
    done = corp.run("try", "corp", "-", given=KEY)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Nothing has begun" in done.stderr
    assert "add `--no-test`" in done.stderr
    assert corp.json("sessions")["sessions"] == []
    assert corp.run("try", "corp", "-", "--no-test", given=KEY).returncode == 0
    assert len(corp.json("sessions")["sessions"]) == 1


def test_another_address(corp: Shell, upstream: Upstream) -> None:
    other = upstream.base_url.replace("/v1", "/v2")
    assert corp.run("try", "corp", "count:1", "-", "--base-url", other, given=KEY).returncode == 0
    assert corp.run("chat", "hello").stdout == "0 \n"
    assert [request.path for request in upstream.requests] == ["/v2/models", "/v2/chat/completions"]
    assert corp.run("sessions").stdout.split("\t")[6] == other


def test_what_does_not_work_out_is_taken_back(corp: Shell) -> None:
    done = corp.run("try", "corp", "corp:", "-", "--no-test", given=KEY)
    assert done.returncode == 1
    assert "[UnknownModel]" in done.stderr
    assert corp.json("sessions")["sessions"] == []


@pytest.mark.parametrize(
    ("words", "given", "status", "said"),
    [
        (("corp",), "", 2, "Nobody can be asked"),
        (("corp", "-"), "", 2, "must hold the key"),
        (("corp", "-"), "two words", 2, "must hold the key"),
        (("corp", "-"), "x" * 70_000, 2, "must hold the key"),
        (("corp", "sk-0123456789abcdef"), "", 2, "looks like a key"),
        (("corp", "m", "sk-0123456789abcdef", "-"), KEY, 2, "looks like a key"),
        (("corp", "one", "two", "-"), KEY, 2, "One model at most"),
        (("corp", "-", "--minutes", "0"), KEY, 2, "0.02"),
        (("corp", "-", "--minutes", "1441"), KEY, 2, "1440"),
        (("crop", "-"), KEY, 1, "Did you mean corp"),
        (("echo", "-"), KEY, 1, "takes no key"),
        (("corp", "-", "--no-test", "--base-url", "nowhere"), KEY, 1, "https:// or http://"),
    ],
)
def test_what_can_not_be(corp: Shell, words: tuple[str, ...], given: str, status: int, said: str) -> None:
    done = corp.run("try", *words, given=given)
    assert (done.returncode, done.stdout) == (status, ""), done
    assert said in done.stderr
    assert "sk-0123456789abcdef" not in done.stderr
    assert KEY not in done.stderr


def test_one_is_ended(corp: Shell) -> None:
    for _ in range(2):
        created = corp.run("try", "corp", "-", "--no-test", "--json", given=KEY)
        assert created.returncode == 0
    ids = [session["id"] for session in corp.json("sessions")["sessions"]]
    several = corp.run("sessions", "end")
    assert several.returncode == 2
    assert all(id in several.stderr for id in ids)
    done = corp.run("sessions", "end", ids[0])
    assert (done.returncode, done.stdout) == (0, "The temporary key tried-ke… for corp has ended.\n")
    again = corp.run("sessions", "end", ids[0])
    assert again.returncode == 1
    assert again.stderr.endswith("[UnknownSession]\n")
    assert "Begin a new one with `pointsman try`" in again.stderr
    assert corp.json("sessions", "end")["id"] == ids[1], "the only one needs no name"
    none = corp.run("sessions", "end")
    assert (none.returncode, none.stdout) == (1, "")
    done = corp.run("sessions")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "No temporary keys.\n")


def test_a_narrower_one_is_told(corp: Shell) -> None:
    assert corp.run("try", "corp", "-", "--no-test", "--scope", "workspace", given=KEY).returncode == 0
    done = corp.run("try", "corp", "-", "--no-test", given="second-key-not-real")
    assert "Something narrower is in front of it here" in done.stderr


def test_without_a_daemon_there_are_none(shell: Shell) -> None:
    assert shell.json("sessions", status=3) == {"sessions": []}
    for words in (("sessions",), ("sessions", "end")):
        done = shell.run(*words)
        assert (done.returncode, done.stdout) == (3, "")
        assert "none outlives it" in done.stderr
    assert not shell.home.daemons()
    assert shell.run("sessions", "--json", "end").returncode == 2

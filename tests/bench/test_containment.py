"""The benchmark of containment sees harm, and none where the worker prevents it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator

import pytest

from bench.trust.containment import Target
from bench.trust.hostile import CANDIDATES, Hostile

BY_NAME = {candidate.name: candidate for candidate in CANDIDATES}


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with Target(timeout_s=2.0) as made:
        yield made
    assert made.left == ""


@pytest.mark.parametrize(
    "name",
    [
        *("leaves a daemon", "leaves with a forged result", "closes all descriptors"),
        *("segfaults", "forks and forks", "patches what compares"),
    ],
)
def test_harm_is_contained(target: Target, name: str) -> None:
    assert target.attack(BY_NAME[name]) == ""


@pytest.mark.parametrize(
    "name",
    [
        *("connects", "uses a local socket", "writes everywhere", "spoils a file"),
        *("changes modes", "signals the parent", "reads the warm process", "makes namespaces"),
    ],
)
def test_nothing_outside_is_reached(target: Target, name: str) -> None:
    if not target.protection.complete:
        pytest.skip(f"this machine lacks some of it: {target.protection}")
    assert target.attack(BY_NAME[name]) == ""


def test_harm_is_seen(target: Target) -> None:
    (target.temporary / target.token).write_text("x")
    target.canary.write_text("spoilt")
    os.kill(os.getpid(), signal.SIGUSR2)
    with socket.create_connection(target.server.getsockname()):
        left = subprocess.Popen(["sleep", "20"], start_new_session=True)
        found = " ".join(target._harm())
    assert left.wait() == -signal.SIGKILL
    for harm in ("wrote", "changed a file", "sent a signal", "connected", f"process {left.pid}"):
        assert harm in found
    assert list(target._harm()) == []


def test_a_breach_and_a_wrong_verdict_are_seen(target: Target) -> None:
    breach = Hostile("breaches", "refused(len, x)")
    assert "BREACH" in target.attack(breach)
    assert "verdict" in target.attack(Hostile("does nothing", "x = x", rejected=True))


def test_names_are_told_apart_and_bodies_are_code() -> None:
    assert len(BY_NAME) == len(CANDIDATES)
    for candidate in CANDIDATES:
        places = dict.fromkeys(("socket", "token", "canary", "home"), "/x")
        source = candidate.source(parent=1, group=1, port=1, places=[], **places)
        compile(source, candidate.name, "exec")

"""compute-sanitizer is called as it wants to be; a stand-in on the PATH plays its part."""

from __future__ import annotations

from pathlib import Path

import pytest

from semrep.runtime import sanitizer
from semrep.runtime.worker import Done, Failed

CLEAN = '#!/bin/sh\nwhile [ "$1" != "all" ]; do shift; done\nshift\nexec "$@"\n'
FINDS = (
    "#!/bin/sh\necho '========= COMPUTE-SANITIZER'\n"
    "echo '========= Invalid __global__ write of size 4 bytes'\nexit 86\n"
)
HANGS = "#!/bin/sh\nsleep 60\n"


def install(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = folder / "compute-sanitizer"
    tool.write_text(text)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def run(timeout_s: float = 60.0) -> Done | Failed:
    return sanitizer.run("memcheck", "builtins:len", [1, 2], timeout_s=timeout_s)


def test_a_clean_run_gives_the_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, CLEAN, monkeypatch)
    done = run()
    assert isinstance(done, Done) and done.value == 2, done


def test_a_finding_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, FINDS, monkeypatch)
    done = run()
    assert isinstance(done, Failed) and done.cause == "error"
    assert "Invalid __global__ write" in done.reason


def test_a_hang_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, HANGS, monkeypatch)
    done = run(0.5)
    assert isinstance(done, Failed) and done.cause == "timeout"


def test_without_the_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(sanitizer.NoSanitizer, match="CUDA toolkit"):
        run()

"""`python -m semrep.opt`: arguments, exit codes, printing."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from semrep.ir.module import Module
    from semrep.result import Result

DONE, WOULD_CHANGE, USAGE, NO_BASELINE, INTERNAL_ERROR = 0, 1, 2, 3, 123

EPILOG = """
\b
How a file says how to run it (first match wins):
  --entry NAME --inputs EXPR   e.g. --entry rms_norm --inputs '(randn(64, 512), randn(512))'
  def semrep_inputs(): ...     returns the arguments of the file's entry
  Model, get_inputs(), get_init_inputs()            the KernelBench convention
  @semrep.example(f32(64, 512), 3)                  on the entry
  def f(x: Float[Tensor, "64 512"])                 jaxtyping-style annotations
Without one, only passes that are proven bitwise are applied, and the result is marked
'not executed'.

\b
Examples:
  semrep model.py                       search, verify, show the diff
  semrep model.py -o faster.py          ... and write it there
  semrep kernel.py --explain            ... and say what was missed, and why
  semrep f.py --passes canonical,scalar run these passes, verify the result
  semrep src/*.py --check               exit 1 if something would be rewritten
  semrep verify old.py new.py           tell two programs apart, wherever new.py is from

\b
Exit codes: 0 done; 1 --check found a rewrite; 2 usage; 3 the original fails, does not agree
with itself, or cannot be parsed; 123 internal error.
Every option can be set in [tool.semrep] of pyproject.toml and as SEMREP_<OPTION>.
Verdicts are kept in the user's cache folder and used again; SEMREP_STORE names another folder,
and SEMREP_STORE=:memory: keeps none.
"""


def _pyproject(folder: Path) -> dict[str, Any]:
    """`[tool.semrep]` of the nearest pyproject.toml, as click's default map."""
    import tomllib

    for place in (folder, *folder.parents):
        file = place / "pyproject.toml"
        if file.is_file():
            try:
                table = tomllib.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise click.UsageError(f"{file}: {error}") from None
            options = table.get("tool", {}).get("semrep", {})
            return {key.replace("-", "_"): value for key, value in options.items()}
    return {}


def _defaults(context: click.Context, parameter: click.Parameter, value: bool) -> bool:
    if not value:
        context.default_map = {**_pyproject(Path.cwd()), **(context.default_map or {})}
    return value


@click.command(
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.argument("files", nargs=-1, metavar="[FILE|-]...")
@click.option("-o", "--output", metavar="FILE", help="Write the result here (one input only).")
@click.option("-i", "--in-place", is_flag=True, help="Write the result over the input.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if something would change.")
@click.option(
    "--passes",
    metavar="PIPELINE",
    help="Apply these passes instead of searching, e.g. 'canonical,tensor.*'.",
)
@click.option("--list-passes", is_flag=True, help="List all passes with what they promise.")
@click.option(
    "--print-pipeline",
    is_flag=True,
    help="Print only the pipeline that replays the result with --passes.",
)
@click.option(
    "--goal",
    default="latency",
    show_default=True,
    metavar="latency|size",
    help="What the search improves.",
)
@click.option(
    "--effort",
    type=click.Choice(["none", "quick", "full"]),
    default="quick",
    show_default=True,
    help="How much is run to verify; none runs nothing.",
)
@click.option("--budget", metavar="30s|200", help="Seconds or evaluations.  [default: 45s]")
@click.option(
    "--strategy",
    type=click.Choice(["greedy", "beam"]),
    default="greedy",
    show_default=True,
    help="How the search walks.",
)
@click.option("--entry", metavar="NAME", help="What to run: function, Model, or Class.method.")
@click.option("--inputs", metavar="EXPR", help="Python expression for the entry's arguments.")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides every input.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to run. On the CPU, Triton kernels run in Triton's interpreter.",
)
@click.option(
    "--explain",
    is_flag=False,
    flag_value="all",
    metavar="[LINE]",
    help="Also say what was applied, rejected and missed, and why.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a file, nothing else.")
@click.option("--print-after-all", is_flag=True, help="Show the text after each step (--passes).")
@click.option("--timing", is_flag=True, help="Show the time spent in each pass (--passes).")
@click.option("--stdin-filename", metavar="NAME", help="Name for standard input ('-').")
@click.option("-q", "--quiet", is_flag=True, help="Print no summary and no progress.")
@click.option(
    "--isolated",
    is_flag=True,
    is_eager=True,
    callback=_defaults,
    help="Do not read pyproject.toml.",
)
@click.version_option(package_name="semrep")
def cli(files: tuple[str, ...], **options: Any) -> None:
    """Make GPU and array code faster without changing what it means.

    By default a search over all passes runs on each FILE; every accepted step is verified by
    running old and new code on the same inputs; the summary and the diff are printed, and
    nothing is written.
    """
    if options["list_passes"]:
        _list_passes()
        return
    if options["explain"] not in (None, "all") and not options["explain"].isdigit():
        # `--explain kernel.py`: click took the file for the optional line number.
        files, options["explain"] = (options["explain"], *files), "all"
    if not files:
        raise click.UsageError("name a file, or - for standard input; --help shows examples")
    if options["output"] and len(files) > 1:
        raise click.UsageError("-o takes one input file; use -i for several")
    if sum(bool(options[k]) for k in ("output", "in_place", "check")) > 1:
        raise click.UsageError("-o, -i and --check exclude one another")
    if options["in_place"] and "-" in files:
        raise click.UsageError("standard input cannot be written in place; use -o FILE")
    sys.exit(max(_run(file, options) for file in files))


def _list_passes() -> None:
    from semrep.passes.registry import all_passes

    family = None
    for p in all_passes():
        if p.family != family:
            family = p.family
            click.echo(f"{family}:")
        note = " (opt-in)" if p.is_opt_in else ""
        click.echo(f"  {p!s:<36} {p.contract!s:<16} {p.summary}{note}")


def _run(file: str, options: dict[str, Any]) -> int:
    from semrep.ir.languages import UnknownLanguage
    from semrep.ir.module import Module
    from semrep.passes.pipeline import PipelineError
    from semrep.report import terminal
    from semrep.result import Status

    name = options["stdin_filename"] if file == "-" else file
    try:
        source = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        module = Module.from_text(source, name)
    except OSError as error:
        raise click.UsageError(f"{file}: {error.strerror or error}") from None
    except UnknownLanguage as error:
        raise click.UsageError(str(error)) from None
    if module.diagnostics:
        click.echo(terminal.diagnostics(module), err=True, nl=False)
    try:
        result = _passes(module, options) if options["passes"] else _search(module, options)
    except (PipelineError, ValueError) as error:
        raise click.UsageError(str(error)) from None
    _show(result, options)
    _write(result, file, options)
    if result.status in (Status.NO_BASELINE, Status.NOT_REWRITABLE):
        return NO_BASELINE
    return WOULD_CHANGE if options["check"] and result.changed else DONE


def _passes(module: Module, options: dict[str, Any]) -> Result:
    from semrep.api import apply_passes
    from semrep.passes.manager import Step

    def print_step(step: Step, after: Module) -> None:
        click.echo(f"*** after {step.site.pass_spec} at {step.site.span} ***", err=True)
        click.echo(after.text, err=True, nl=not after.text.endswith("\n"))

    return apply_passes(
        module,
        options["passes"],
        verify=False if options["effort"] == "none" else None,
        entry=options["entry"],
        inputs=options["inputs"],
        seed=options["seed"],
        device=options["device"],
        effort=options["effort"],
        observer=print_step if options["print_after_all"] else None,
    )


def _search(module: Module, options: dict[str, Any]) -> Result:
    from semrep.api import budget_of, optimize
    from semrep.report.progress import SearchProgress

    budget = budget_of(options["budget"], options["effort"])
    quiet = options["quiet"] or options["as_json"] or options["print_pipeline"]
    with SearchProgress(budget, False if quiet else None) as progress:
        return optimize(
            module,
            goal=options["goal"],
            entry=options["entry"],
            inputs=options["inputs"],
            budget=budget,
            effort=options["effort"],
            strategy=options["strategy"],
            seed=options["seed"],
            device=options["device"],
            observer=progress.update,
        )


def _show(result: Result, options: dict[str, Any]) -> None:
    from semrep.report import terminal
    from semrep.report.diff import unified

    if options["as_json"]:
        import json

        from semrep.report.machine import to_json

        click.echo(json.dumps(to_json(result)))
        return
    if options["print_pipeline"]:
        click.echo(result.pipeline)
        return
    to_stdout = options["output"] == "-"
    if not options["quiet"]:
        click.echo(terminal.summary(result), err=to_stdout, nl=False)
        if options["explain"]:
            line = None if options["explain"] == "all" else int(options["explain"])
            click.echo(terminal.explanation(result, line), err=to_stdout, nl=False)
        if options["timing"]:
            for spec, seconds in sorted(result.trace.seconds, key=lambda s: -s[1]):
                click.echo(f"  {seconds * 1e3:9.2f} ms  {spec}", err=to_stdout)
    if not to_stdout and not options["quiet"]:
        click.echo()
        click.echo(unified(result.module, result.trace.after), nl=False)


def _write(result: Result, file: str, options: dict[str, Any]) -> None:
    target = file if options["in_place"] else options["output"]
    if target == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(result.source)
        sys.stdout.buffer.flush()
    elif target and (result.changed or options["output"]):
        try:
            replace_file(Path(target), result.source)
        except OSError as error:
            raise click.UsageError(f"{target}: {error.strerror or error}") from None
        if not options["quiet"] and not options["as_json"]:
            click.echo(f"written to {target}", err=True)
    elif result.changed and not _is_silent(options):
        click.echo("written nowhere; use -o FILE or -i", err=True)


def _is_silent(options: dict[str, Any]) -> bool:
    return any(options[k] for k in ("quiet", "as_json", "print_pipeline", "check"))


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: readers, and a crash, see the old or the new text."""
    import tempfile

    path = path.resolve()
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        if path.exists():
            os.chmod(temporary, path.stat().st_mode & 0o7777)
        else:
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def main() -> None:
    """The console script. Internal errors end with exit code 123 and a traceback."""
    try:
        if sys.argv[1:2] == ["verify"]:
            from semrep.verify_command import cli as verify

            verify(sys.argv[2:], prog_name="semrep verify", auto_envvar_prefix="SEMREP_VERIFY")
        cli(auto_envvar_prefix="SEMREP")
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except Exception:
        import traceback

        traceback.print_exc()
        click.echo("semrep: internal error; please report it with the text above", err=True)
        sys.exit(INTERNAL_ERROR)


if __name__ == "__main__":
    main()

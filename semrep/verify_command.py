"""`semrep verify ORIGINAL CANDIDATE`: arguments, exit codes, printing."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from semrep.verify import Verdict

EQUIVALENT, DIFFERENT, USAGE, UNDECIDED = 0, 1, 2, 3

EPILOG = """
\b
How ORIGINAL says how it is run: --entry and --inputs, semrep_inputs(), KernelBench's Model and
get_inputs(), @semrep.example, or annotations with shapes; `semrep --help` has the details.
CANDIDATE needs none of it: it is called by the same name (ModelNew for Model) with the same
arguments, which it cannot choose.

\b
Examples:
  semrep verify softmax.py softmax_triton.py
  semrep verify reference.py generated.py --entry rms_norm --inputs '(f32(64, 512), f32(512))'
  semrep verify model.py model_new.py --effort full --script counterexample.py
  semrep verify before.py after.py --contract bitwise --strict

\b
Exit codes: 0 equivalent on all that was tried; 1 different; 2 usage; 3 nothing can be said
(the original fails, does not agree with itself, or the result cannot be compared).
"""


@click.command(
    "verify",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.argument("original", type=click.Path(exists=True, dir_okay=False))
@click.argument("candidate", type=click.Path(exists=True, dir_okay=False))
@click.option("--entry", metavar="NAME", help="What to run: function, Model, or Class.method.")
@click.option("--candidate-entry", metavar="NAME", help="Its name in CANDIDATE, if another.")
@click.option("--inputs", metavar="EXPR", help="Python expression for the entry's arguments.")
@click.option(
    "--contract",
    type=click.Choice(["bitwise", "reassociates", "within-tolerance"]),
    default="within-tolerance",
    show_default=True,
    help="What the candidate must keep: every bit; the same sums in another order; or an error "
    "budget taken from the original's own distance to float64.",
)
@click.option(
    "--assume",
    multiple=True,
    metavar="FACT",
    help="A fact that holds wherever it is called, in words: 'inputs are finite', 'shapes as "
    "given', 'ranks', 'dtypes', 'contiguous', 'inference only'. Lifts the cases against it.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Also demand that every shape, dtype and layout that ORIGINAL takes is taken, and that "
    "what it rejects is rejected. Otherwise a loud refusal is listed, not held against it.",
)
@click.option(
    "--effort",
    type=click.Choice(["quick", "full", "paranoid"]),
    default="quick",
    show_default=True,
    help="Independent draws beside the chosen cases: 16, 512 or 3000, as time allows.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Decides every input.")
@click.option(
    "--timeout", type=float, default=60.0, show_default=True, help="Seconds for one of the two."
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to run. On the CPU, Triton kernels run in Triton's interpreter.",
)
@click.option(
    "--sanitizer",
    type=click.Choice(["memcheck", "racecheck", "initcheck", "synccheck"]),
    help="On a GPU, also run CANDIDATE under this tool of compute-sanitizer.",
)
@click.option("--script", metavar="FILE", help="Write the script of the counterexample there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, nothing else.")
@click.option("-q", "--quiet", is_flag=True, help="Print the verdict's first line alone.")
def cli(original: str, candidate: str, **options: Any) -> None:
    """Run ORIGINAL and CANDIDATE on the same inputs, and say whether they can be told apart.

    No passes are involved: CANDIDATE may come from anywhere. It runs in a process of its own,
    without network and unable to write outside its folder, as far as this kernel allows.
    """
    from semrep.passes.contract import Contract
    from semrep.verify import Different, Equivalent, NotRunnable, contract_named, verify

    contract = contract_named(options["contract"])
    contract = Contract(contract.numerics, frozenset(options["assume"]), contract.preserves)
    with _progress(options["quiet"] or options["as_json"]) as progress:
        try:
            verdict = verify(
                Path(original),
                Path(candidate),
                options["inputs"],
                entry=options["entry"],
                candidate_entry=options["candidate_entry"],
                contract=contract,
                strict=options["strict"],
                effort=options["effort"],
                seed=options["seed"],
                timeout_s=options["timeout"],
                device=options["device"],
                sanitizer=options["sanitizer"],
                progress=progress,
            )
        except (NotRunnable, OSError, ValueError) as error:
            raise click.UsageError(str(error)) from None
    code = verdict.code if isinstance(verdict, Different) else ""
    if options["as_json"]:
        click.echo(json.dumps(verdict.to_json(), default=str))
    else:
        click.echo(str(verdict) if options["quiet"] else described(verdict), nl=options["quiet"])
        if code and not options["script"] and not options["quiet"]:
            click.echo(f"\n# a script that shows it\n{code}", nl=False)
    if options["script"] and code:
        Path(options["script"]).write_text(code, encoding="utf-8")
    if isinstance(verdict, Equivalent):
        sys.exit(EQUIVALENT)
    sys.exit(DIFFERENT if isinstance(verdict, Different) else UNDECIDED)


def described(verdict: Verdict) -> str:
    """The verdict with its evidence, in lines."""
    from semrep.verify import Different, Equivalent

    lines = [str(verdict)]
    if isinstance(verdict, Equivalent):
        lines.append(f"  {verdict.confidence}")
        lines.append(
            f"  largest error {verdict.max_error_ratio:.2g} of its bound; the original's own "
            f"error {verdict.original_error:.2g} roundings"
            if verdict.max_error_ratio
            else "  every result equal in every bit"
        )
        if verdict.narrower:
            lines.append(f"  rejects with an error, unlike the original: {_list(verdict.narrower)}")
        if verdict.grade == "interpreter":
            lines.append("  ran in Triton's interpreter: compiled GPU code was not executed")
        lines += [f"  note: {note}" for note in verdict.notes]
    elif isinstance(verdict, Different) and verdict.counterexample is not None:
        lines += [f"  {line}" for line in verdict.counterexample.describe().splitlines()]
        if "requires grad" in verdict.counterexample.what:
            lines.append("  if nobody trains through it: --assume 'inference only'")
    return "\n".join(lines) + "\n"


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


@contextlib.contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str], None] | None]:
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("starting") as status:
        yield lambda stage: status.update(stage)

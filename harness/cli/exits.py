"""How a command ends: 0 done, 1 some runs failed (the others are kept), 2 the user's input is wrong, 130 interrupted.

Whatever goes wrong is told in one line: what, where, what to do. Never a traceback for the user's own mistakes.
"""

from __future__ import annotations

import difflib
import os
import signal
import sys
import threading
import time
from typing import Any, NoReturn

import click

from harness import imports
from harness.console import visible
from harness.environment import SAFE_PATH
from harness.errors import InstallationError, UserError

DONE, SOME_RUNS_FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130
MEANINGS = {
    DONE: "done",
    SOME_RUNS_FAILED: "some runs failed, or a row does not hold; the others are kept, the same command tries again",
    WRONG_INPUT: "the input is wrong, or the installation; one line says what, where and what to do",
    INTERRUPTED: "interrupted; what was finished is kept, the same command continues",
}
# Environment variable -> what it does. Ray's, vLLM's and the hub's own variables work as well: these are the usual.
ENVIRONMENT = {
    "HARNESS_RESULTS": "folder of the results folders, instead of results/runs below the working folder",
    "RAY_ADDRESS": "Ray cluster to join (HOST:6379); local starts one here. Default: the running one, else a local one",
    "RAY_TMPDIR": "folder of Ray's sockets and logs (/tmp); short, as sockets' paths may have 107 bytes",
    "CUDA_VISIBLE_DEVICES": "GPUs that a local Ray may use",
    "HF_HOME": "folder of downloaded models and datasets",
    "HF_TOKEN": "for models and datasets that need a login",
    "HF_HUB_OFFLINE": "1: ask the hub for nothing, take what is downloaded",
    "XDG_CACHE_HOME": "folder of small caches (~/.cache)",
    "OPENAI_API_KEY": "key of a served model, a teacher or a judge; engine.api_key_env names another variable",
    "TENSORBOARD_LOGGING_DIR": "folder of a training's TensorBoard files, instead of RECIPE/tensorboard",
    "MLFLOW_TRACKING_URI": "where a training's MLflow runs go, instead of RECIPE/mlflow.db",
    "MLFLOW_EXPERIMENT_NAME": "the experiment of a training's MLflow runs, instead of s1-harness",
    "PROMPTTOKEN, PROMPTSTEP": "inside lm-eval, as in s1: the budget told in the question",
}
INTERRUPTED_LINE = "interrupted; what was finished is kept, the same command continues"
PATIENCE_SECONDS = 4.0  # from Ctrl-C to the end, whatever still cleans up
_ENDING = threading.Lock()


class Commands(click.Group):
    """Names the near match of an unknown command."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command as click does; an unknown one is an error that names the nearest."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1, cutoff=0.4)
            hint = f"did you mean '{near[0]}'?" if near else "known: " + ", ".join(self.list_commands(ctx))
            raise click.UsageError(f"unknown command '{args[0]}'; {hint}")
        return super().resolve_command(ctx, args)


def begin() -> None:
    """What every command does before anything else: it can be interrupted, and its children run no code found here."""
    interruptible()
    imports.seldom()
    for name, value in SAFE_PATH.items():
        os.environ.setdefault(name, value)


def interruptible() -> None:
    """Make SIGTERM and SIGHUP end this process as Ctrl-C does, and Ctrl-C end it within `PATIENCE_SECONDS`.

    One signal is enough: a second one would only break into the ending (of Ray's cluster, which then ended this process
    with a code of its own).

    What is finished is on disk by then: rows are written as they come. What a killed driver leaves (engines, Ray's
    processes, workers) ends by itself. A SIGHUP that is ignored, as below `nohup`, stays ignored.
    """
    heard = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        heard.append(signal.SIGHUP)
    for number in heard:
        signal.signal(number, _interrupt)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader, set(heard)), name="signals", daemon=True).start()


def _watch(reader: int, heard: set[signal.Signals]) -> None:
    """Ends the process `PATIENCE_SECONDS` after a signal, also where the main thread is inside C code."""
    while os.read(reader, 1)[0] not in heard:
        pass
    time.sleep(PATIENCE_SECONDS)
    _give_up()


def _interrupt(number: int, frame: object) -> NoReturn:
    timer = threading.Timer(PATIENCE_SECONDS, _give_up)  # also where somebody has taken the wake-up away from `_watch`
    timer.daemon = True
    timer.start()
    for heard in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(heard) is _interrupt:
            signal.signal(heard, _ending)
    raise KeyboardInterrupt


def _ending(number: int, frame: object) -> None:
    """A further signal: this process ends already."""


def _give_up() -> NoReturn:
    _ENDING.acquire()  # the watcher and the timer both come here: one of them speaks
    os.write(2, f"harness: {INTERRUPTED_LINE}\n".encode())
    os._exit(INTERRUPTED)


def say(text: object = "", err: bool = False) -> None:
    """Print what may hold text from data: as text, whatever it holds."""
    click.echo(visible(str(text)), err=err)


def stop(message: object, code: int = WRONG_INPUT) -> NoReturn:
    """End with one line on standard error."""
    click.echo(visible(f"harness: {' '.join(str(message).split())}"), err=True)
    sys.exit(code)


def call(command: click.Command, arguments: list[str] | None = None, name: str = "harness") -> NoReturn:
    """Run a click command with the exit codes of this module."""
    try:
        command.main(args=arguments, prog_name=name, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
    except click.UsageError as error:
        stop(f"{error.format_message()} (see {error.ctx.command_path if error.ctx else name} --help)")
    except click.ClickException as error:
        stop(error.format_message())
    except (UserError, InstallationError) as error:
        stop(error)
    except (click.Abort, KeyboardInterrupt):
        stop(INTERRUPTED_LINE, INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        stop(error if error.filename is None else f"{error.filename}: {error.strerror}")
    sys.exit(DONE)

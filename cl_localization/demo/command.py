"""`demo`: the main job with real nodes, shown as it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cl_localization.cli.flags import settings
from cl_localization.cli.outputs import require_folder, write_json
from cl_localization.cli.tables import error_console, output_console, print_rows
from cl_localization.demo.config import DemoConfig
from cl_localization.errors import ConfigError

if TYPE_CHECKING:
    from cl_localization.demo.conductor import DemoProgress
    from cl_localization.demo.result import DemoResult

HEADERS = ("what", "value", "must be", "")
PICTURE, TABLE = "demo.png", "demo.json"


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Watch a robot map a place, be carried away, and know where it is again: real node processes over DDS.

    Maps online, then carries the robot to places it must recognise without a hint, then tracks it live. Prints a table,
    writes a picture, the table and the map to the output folder. The exit code is 0 only when all of it worked.
    """

    options: DemoConfig = settings(DemoConfig)


def run(arguments: Arguments) -> int:
    """Run the demo, print the table, write picture and JSON; return 0 only when it worked."""
    folder = require_folder(Path(arguments.options.out))
    run_demo = import_run_demo()
    with shown_stages() as tell:
        result = run_demo(arguments.options, tell)

    from cl_localization.demo.figure import demo_figure
    from cl_localization.demo.report import result_json, result_rows
    from cl_localization.viz.style import save_figure

    print_rows("demo", result_rows(result), HEADERS)
    write_json(folder / TABLE, {**result_json(result), "config": asdict(arguments.options)})
    picture = save_figure(demo_figure(result, arguments.options.data), folder / PICTURE)
    verdict = "[bold green]It worked.[/bold green]" if result.worked else "[bold red]It did not work.[/bold red]"
    output_console().print(
        f"{verdict} Picture: {escape(str(picture))}, map: {escape(str(result.map_path))}", soft_wrap=True
    )
    return 0 if result.worked else 1


def import_run_demo() -> Callable[[DemoConfig, Callable[[DemoProgress], None]], DemoResult]:
    """Return the function that runs the demo.

    Raises:
        ConfigError: ROS or this package's messages cannot be imported; says what sets them up.
    """
    try:
        from cl_localization.demo.conductor import run_demo
    except ImportError as error:
        raise ConfigError("demo", "needs ROS 2 and the built messages of this package", error,
                          "run scripts/demo, which sets both up") from error
    return run_demo


@contextmanager
def shown_stages() -> Iterator[Callable[[DemoProgress], None]]:
    """Give a function that shows how far the demo is: a live line on a terminal, a line for each stage elsewhere."""
    console = error_console()
    if not console.is_terminal:
        yield StageLines(console)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[detail]}"),
               TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting", total=None, detail="")
        yield lambda now: progress.update(task, description=escape(now.stage), completed=now.step, total=now.steps,
                                          detail=escape(now.detail))


class StageLines:
    """Prints one line when a stage begins, with the figures at that time, and what those of the stage before came
    to."""

    def __init__(self, console: Console) -> None:
        self.console, self.stage, self.detail, self.shown = console, "", "", ""

    def __call__(self, now: DemoProgress) -> None:
        """Take the progress; print when the stage is a new one."""
        if now.stage != self.stage:
            if self.detail != self.shown:
                self._print(f"      {self.detail}")
            self._print(f"{now.step + 1:>2}/{now.steps:<2} {now.stage:<10} {now.detail}".rstrip())
            self.shown = now.detail
        self.stage, self.detail = now.stage, now.detail

    def _print(self, line: str) -> None:
        self.console.print(line, markup=False, soft_wrap=True)

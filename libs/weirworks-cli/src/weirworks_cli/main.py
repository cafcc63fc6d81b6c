"""`weir`: noun and verb like kubectl; progress on stderr, data on stdout; 0 fine, 1 failed, 2 usage, 3 partly."""

from importlib.metadata import version

import click

from weirworks_cli import calls, load, looks, models, replay, runs
from weirworks_cli.demo.command import demo

_GROUPS = {
    "Run": (demo, runs.up, runs.down, runs.run),
    "Call": (calls.classify, calls.embed, calls.generate, calls.routes, load.load),
    "Look": (looks.check, models.models, looks.scalers),
}


class _Grouped(click.Group):
    """Lists the commands in groups, in the order of use."""

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in _GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(command.name or "", command.get_short_help_str(70)) for command in commands])


@click.group(
    cls=_Grouped,
    epilog="Example: weir up, and in another terminal: weir classify cat.png",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--context", default="default", show_default=True, help="Which running suite; weir up writes it.")
@click.version_option(version("weirworks-cli"), prog_name="weir")
@click.pass_context
def main(click_context: click.Context, context: str) -> None:
    """Weirworks: one gRPC address for inference, and replicas before the load arrives."""
    click_context.obj = context


looks.scalers.add_command(replay.replay)
for _commands in _GROUPS.values():
    for _command in _commands:
        main.add_command(_command)

if __name__ == "__main__":
    main()

"""The command line of `winsock explain`, read by argparse: for what the quick look does not settle."""

from __future__ import annotations

import argparse

from winsock.cli._explain import FORMATS, planned_language

TYPE_CHECKING = False
if TYPE_CHECKING:
    from winsock.cli._explain import Options


def parse(argv: list[str], options: Options) -> list[str]:
    """The codes; the options go into the dictionary.  Ends the program for --help and for a wrong command line."""
    parser = argparse.ArgumentParser(
        prog="winsock explain",
        description="Say what Winsock error codes mean, what usually leads to them and what to do.",
        epilog="A code is a number (10054, 0x2746), an HRESULT (0x80072746, -2147014842), a name (WSAECONNRESET, "
        "ECONNRESET, EAI_NONAME, STATUS_CONNECTION_RESET, SocketError.TimedOut), the text of Windows' message or a "
        "part of it ('forcibly closed'), or a line of a log with one of these.",
    )
    parser.add_argument("code", nargs="*", help="number, name or message of an error")
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: text")
    add_language(parser)
    parser.add_argument(
        "--function", metavar="NAME", help="what the code means from this call; without a code: all codes of the call"
    )
    parser.add_argument("--list", action="store_true", help="list all codes, one a line")
    args = parser.parse_args(argv)
    if not args.code and not args.list and args.function is None:
        parser.error("which code?")
    options.update({key: value for key, value in vars(args).items() if isinstance(value, str)})
    if args.list:
        options["list"] = "yes"
    codes: list[str] = args.code
    return codes


def add_language(parser: argparse.ArgumentParser) -> None:
    """The option --lang."""
    from winsock.codes._texts import LANGUAGES

    def valid(lang: str) -> str:
        if planned_language(lang) is None:
            raise argparse.ArgumentTypeError(f"no texts in {lang!r}; there are: {names}")
        return lang

    names = ", ".join(LANGUAGES)
    parser.add_argument("--lang", type=valid, help=f"language of the texts: {names}; default: that of the locale")

"""winsock annotate FILE ...: the socket errors in logs, and what each means."""

from __future__ import annotations

import argparse
import os
import sys

from winsock.cli._annotate_forms import Form, JsonForm, Style, SummaryForm, TextForm
from winsock.cli._annotate_read import Interrupts, Output, Progress, cores, read_all
from winsock.cli._explain import chosen_language, planned_language, width

_EPILOG = """\
exit status:
  0    done, whether socket errors were found or not; also when the reader of the output went away
  1    a file could not be read, or not to its end (the others are done), or the output could not be written
  2    wrong command line
  130  interrupted (Ctrl-C); what had been read until then is written, the summary too
"""


def main(argv: list[str]) -> int:
    """The verb; its exit statuses are in its help."""
    args = _parse(argv)
    lang = chosen_language(args.lang)
    output = Output(1)
    form = _form(args, lang, output)
    interrupts = Interrupts()
    try:
        output.check()
        with interrupts:
            form.begin(args.file)
            if args.follow:
                from winsock.cli._annotate_follow import follow_all

                status = follow_all(args.file, args.encoding, form, output, interrupts, args.from_end)
            else:
                watched = args.summary or args.format != "text" or not os.isatty(1)
                status = read_all(
                    args.file, args.encoding, form, output, interrupts, Progress(watched), args.jobs or cores()
                )
            form.end()
            output.flush()
    except Output.Gone:
        output.give_up()
        return 0
    except KeyboardInterrupt:  # the second
        output.give_up()
        return 130
    except Output.Error as error:
        output.give_up()
        print(f"winsock annotate: cannot write the output: {error}", file=sys.stderr)
        return 1
    return 130 if interrupts.came else status


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="winsock annotate",
        description="Find Winsock error codes in logs, whatever wrote them, and say what each means.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("file", nargs="+", metavar="FILE", help="a log; - for standard input")
    add(
        "--format",
        choices=("text", "json", "html"),
        default="text",
        help="text: the log with explanations beneath the lines (default); json: one object a line that holds codes; "
        "html: a page of its own",
    )
    add("--summary", action="store_true", help="only count the codes: how often, first and last line")
    add("--only", action="store_true", help="text: leave out lines without codes, number the others")
    add("--short", action="store_true", help="text: the title alone, never the whole explanation")
    add("--follow", "-f", action="store_true", help="go on as the files grow, also when they are rotated")
    add("--from-end", action="store_true", help="with --follow: only what is new")
    add("--lang", type=_language, help="language of the explanations: en, fr, ja, zh-Hant; default: the locale's")
    add("--encoding", type=_encoding, help="of the logs, such as utf-16 or cp932; by default it is found out")
    add("--color", choices=("auto", "always", "never"), default="auto", help="default: on a terminal")
    add("--jobs", type=int, default=0, metavar="N", help="processes for a big file; default: one a core")
    args = parser.parse_args(argv)
    if args.from_end and not args.follow:
        parser.error("--from-end goes with --follow")
    if args.summary and args.format == "html":
        parser.error("--summary goes with text and json; the html page has a summary")
    if (args.only or args.short) and (args.summary or args.format != "text"):
        parser.error("--only and --short go with text")
    if args.jobs < 0:
        parser.error("--jobs must not be negative")
    return args


def _language(text: str) -> str:
    if planned_language(text) is None:
        raise argparse.ArgumentTypeError(f"no texts in {text!r}; there are en, fr, ja, zh-Hant")
    return text


def _encoding(text: str) -> str:
    import codecs

    try:
        b"".decode(codecs.lookup(text).name)
    except LookupError:
        raise argparse.ArgumentTypeError(f"unknown encoding {text!r}") from None
    return text


def _form(args: argparse.Namespace, lang: str, output: Output) -> Form:
    style = Style(_colours(args.color))
    many = len(args.file) > 1
    if args.summary:
        return SummaryForm(output.write, lang, style, args.format == "json", many)
    if args.format == "json":
        return JsonForm(output.write, lang)
    if args.format == "html":
        from winsock.cli._annotate_html import HtmlForm

        return HtmlForm(output.write, lang)
    return TextForm(output.write, lang, style, width(), args.only, args.short, many)


def _colours(wish: str) -> bool:
    if wish == "auto":
        return os.isatty(1) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wish == "always"

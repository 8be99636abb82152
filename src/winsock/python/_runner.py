"""Run a program in this interpreter, under the Windows view, so that nobody can tell from plain Python."""

from __future__ import annotations

import gc
import os
import runpy  # before the view: the frozen one, as python -m uses it
import sys
from types import CodeType, ModuleType, TracebackType
from typing import Any

from winsock.afd._shape import DISCARD
from winsock.codes import WSA
from winsock.nt import current
from winsock.python import _oserror
from winsock.python._versions import main_has
from winsock.python._view import View

WSA_CODES = frozenset(map(int, WSA))
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def prepare(
    language: str | None = None, timing: str = "none", resets: str = "none", loop: str = "proactor"
) -> View:
    """Make this interpreter's view; call it once, before the program's imports.

    language    of the texts of errors, None for the default
    loop        asyncio's default event loop: "proactor" or "selector"
    resets      "windows": what came before a connection was reset is lost
    timing      "windows" adds Windows' delays where programs notice them
    """
    from winsock.python import _overlay
    from winsock.python._replaced import replaced
    from winsock.python._socket_parts import settings

    _oserror.install()
    _oserror.set_language(language)
    settings.timing = timing
    if resets == "windows":
        current().process.services[DISCARD] = True
    windows, sockets = replaced()
    view = View(windows, sockets, {"signal": _overlay.strict_signal_view()})
    view.loop = loop
    view.options = [f"--timing={timing}", f"--resets={resets}", f"--loop={loop}"]
    if language:
        view.options.append(f"--lang={language}")
    settings.options = view.options
    view.add_importlib()
    view.install()
    return view


# -- __main__


def _new_main(view: View) -> dict[str, Any]:
    """A fresh __main__ that sees Windows; its dictionary."""
    main = ModuleType("__main__")
    namespace = vars(main)
    namespace["__builtins__"] = view.builtins["program"]
    if main_has("__annotations__"):
        namespace["__annotations__"] = {}
    # The interpreter takes __file__ out of the command's own __main__ when that has ended, and keeps no reference.
    view.command = sys.modules.get("__main__")
    sys.modules["__main__"] = main
    return namespace


def _execute(code: CodeType, namespace: dict[str, Any]) -> None:
    exec(code, namespace)


def run_code(view: View, source: str, args: list[str]) -> None:
    """python -c"""
    sys.argv[:] = ["-c", *args]
    _set_first_path("")
    namespace = _new_main(view)
    code = compile(source, "<string>", "exec", dont_inherit=True)
    if sys.version_info >= (3, 13):
        import linecache

        lines = [line + "\n" for line in source.splitlines()]  # tracebacks show them
        linecache.cache["<string>"] = (len(source), None, lines, "<string>")
    _execute(code, namespace)


def run_module(view: View, name: str, args: list[str]) -> None:
    """python -m"""
    sys.argv[:] = ["-m", *args]
    _set_first_path(os.getcwd())
    _new_main(view)
    runpy._run_module_as_main(name)  # type: ignore[attr-defined]


def run_script(view: View, path: str, args: list[str]) -> None:
    """python FILE, or a directory or zip archive with a __main__.py; "-" is standard input."""
    sys.argv[:] = [path, *args]
    namespace = _new_main(view)
    if path == "-":
        _set_first_path("")
        _execute(compile(sys.stdin.read(), "<stdin>", "exec", dont_inherit=True), namespace)
        return
    if os.path.isdir(path) or _is_archive(path):
        _set_first_path(path)
        runpy._run_module_as_main("__main__", False)  # type: ignore[attr-defined]
        return
    _set_first_path(os.path.dirname(os.path.realpath(path)))
    path = os.path.abspath(path)
    code = _compile_file(path)
    from importlib.machinery import SourceFileLoader

    if main_has("__cached__"):
        namespace["__cached__"] = None
    namespace.update(__file__=path, __loader__=SourceFileLoader("__main__", path), __spec__=None, __package__=None)
    _execute(code, namespace)


def _is_archive(path: str) -> bool:
    import zipfile

    return os.path.isfile(path) and zipfile.is_zipfile(path)


def _compile_file(path: str) -> CodeType:
    import io

    try:
        with io.open_code(path) as file:
            data = file.read()
    except OSError as e:
        print(f"{sys.executable}: can't open file {path!r}: [Errno {e.errno}] {e.strerror}", file=sys.stderr)
        raise SystemExit(2) from None
    if path.endswith(".pyc"):
        import marshal

        code: CodeType = marshal.loads(data[16:])
        return code
    _check_encoding(data, path)
    return compile(data, path, "exec", dont_inherit=True)


def _check_encoding(data: bytes, path: str) -> None:
    """Refuse what is no UTF-8 and declares nothing else, as for a script; until 3.13 compile() says it otherwise."""
    if sys.version_info >= (3, 14) or data.isascii() or b"coding" in b"".join(data.split(b"\n", 2)[:2]):
        return
    try:
        data.decode()
    except UnicodeDecodeError as e:
        place = f"starting with '\\x{data[e.start]:02x}' in file {path} on line {data.count(10, 0, e.start) + 1}"
        more = "see https://peps.python.org/pep-0263/ for details"
        raise SyntaxError(f"Non-UTF-8 code {place}, but no encoding declared; {more}") from None


def _set_first_path(entry: str) -> None:
    """sys.path[0] is the program's, where the command's own directory was."""
    if sys.flags.safe_path:
        return
    if sys.path:
        sys.path[0] = entry
    else:
        sys.path.append(entry)


# -- the end of a program


def strip(tb: TracebackType | None) -> TracebackType | None:
    """The traceback without the frames that lead to the program, and those below it where a signal has hit."""
    first = tb
    while first is not None and not first.tb_frame.f_code.co_filename.startswith(_OURS):
        first = first.tb_next  # the command's entry point
    if first is None:
        return tb
    while first is not None and first.tb_frame.f_code.co_filename.startswith(_OURS):
        first = first.tb_next
    last, at = None, first
    while at is not None:
        if not at.tb_frame.f_code.co_filename.startswith(_OURS):
            last = at
        at = at.tb_next
    if last is not None and not _oserror.KEEP_FRAMES:
        last.tb_next = None
    return first


def code_in(error: BaseException | None) -> int:
    """The Windows code of an exception, or of the nearest one that led to it; 0 when there is none."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, OSError):
            code = getattr(error, "winerror", None) or (error.errno if error.errno in WSA_CODES else 0)
            if code:
                return int(code)
        error = error.__cause__ or error.__context__
    return 0


def offer(error: BaseException, language: str) -> str:
    """One line that leads from a socket error to its explanation; "" for an error that has none."""
    from winsock.codes import explain
    from winsock.codes._texts import DEFAULT, labels

    code = code_in(error)
    entry = explain(code, lang=language) if code else None
    if entry is None:
        return ""
    option = "" if language == DEFAULT else f" --lang {language}"
    return labels(language)["offer"].format(command=f"`winsock explain{option} {code}`", name=entry.name or code)


def show_program_only(language: str | None, quiet: bool) -> None:
    """Uncaught exceptions are shown from the program's first frame on, by whatever hook the program has set.

    To somebody who sees them on a terminal, unless `quiet`, the way to the error's explanation is shown as well.
    """
    hook = sys.excepthook

    def excepthook(cls: type[BaseException], value: BaseException, tb: TracebackType | None) -> None:
        tb = strip(tb)
        value.__traceback__ = tb
        sys.last_traceback = tb
        hook(cls, value, tb)
        if not quiet and sys.stderr is not None and sys.stderr.isatty() and (line := offer(value, language or "en")):
            print(line, file=sys.stderr)

    sys.excepthook = excepthook


def run(
    collects: bool,
    kind: str,
    target: str,
    args: list[str],
    language: str | None = None,
    timing: str = "none",
    quiet: bool = False,
    resets: str = "none",
    loop: str = "proactor",
) -> None:
    """Run a program: kind is "script", "module" or "code".  What it raises comes out.

    collects                          have the interpreter look for garbage when the program runs
    language, timing, resets, loop    as for prepare()
    quiet                             do not offer the explanation of the socket error that a program died of
    """
    view = prepare(language, timing, resets, loop)
    gc.freeze()  # the program's collections, and the one at its end, look at the program's objects alone
    if collects:
        gc.enable()
    try:
        {"script": run_script, "module": run_module, "code": run_code}[kind](view, target, args)
    except SystemExit:
        raise
    except BaseException:
        show_program_only(language, quiet)
        raise

"""`winsock annotate --format html`: one page with everything in it, for a browser or a mail to the administrator.

The summary comes first, so the lines wait until the end; the page shows at most SHOWN of them, which bounds both the
memory and the page.
"""

from __future__ import annotations

import os
from html import escape

from winsock.cli._annotate_forms import Form, Place, entry, printable, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from winsock.annotate import Line
    from winsock.cli._annotate_forms import Write

SHOWN = 2000
_OPEN = 3  # explanations that are unfolded from the start
_LONGEST = 4000  # characters of a line
_CONTROLS = dict.fromkeys((*range(9), 11, 12, *range(14, 32), *range(127, 160)), "\ufffd")


class HtmlForm(Form):
    """A page with the summary, what each code means, and the lines."""

    def __init__(self, write: Write, lang: str) -> None:
        super().__init__(write, lang)
        self._files: list[str] = []
        self._lines: list[tuple[str, Line]] = []
        self._places: set[Place] = set()  # of these lines

    def begin(self, files: list[str]) -> None:
        self._files = [printable(file) for file in dict.fromkeys(files)]

    def line(self, file: str, line: Line) -> None:
        super().line(file, line)
        if len(self._lines) < SHOWN:
            self._places.add(Place(file, line.number))
            self._lines.append((file, line._replace(text=line.text[:_LONGEST])))

    def end(self) -> None:
        word = words(self.lang)
        title = word["title"].replace("{files}", ", ".join(os.path.basename(f) or f for f in self._files))
        self.say(_HEAD.format(lang=self.lang, title=_safe(title), style=_STYLE))
        self.say(f"<header><h1>{_safe(title)}</h1></header>\n<main>\n")
        if self.counts.lines:
            self._summary(word)
            self._meanings(word)
            self._found(word)
        else:
            self.say(f"<p>{_safe(word['none'])}</p>\n")
        self.say(f"</main>\n<footer>{_safe(word['made'])}</footer>\n{_SCRIPT}</body>\n</html>\n")

    def _summary(self, word: dict[str, str]) -> None:
        heads = "".join(
            f'<th scope="col"{kind}>{_safe(word[key])}</th>'
            for key, kind in (
                ("code", ""), ("name", ""), ("meaning", ""),
                ("count", ' class="number"'), ("first", ' class="number"'), ("last", ' class="number"'),
            )
        )  # fmt: skip
        self.say(f'<section>\n<h2 id="summary">{_safe(word["summary"])}</h2>\n<div class="wide"><table>\n')
        self.say(f"<thead><tr>{heads}</tr></thead>\n<tbody>\n")
        rows = self.counts.rows()
        most = max(row.lines for row in rows)
        for row in rows:
            known = entry(row.number, self.lang)
            first, last = self._link(row.first), self._link(row.last)
            bar = f'<span class="bar" style="--share:{row.lines / most:.3f}">{row.lines}</span>'
            self.say(
                f'<tr><th scope="row"><a href="#code-{row.number}">{row.number}</a></th>'
                f"<td><code>{known.name}</code></td><td>{_safe(known.title)}</td>"
                f'<td class="number">{bar}</td><td class="number">{first}</td><td class="number">{last}</td></tr>\n'
            )
        self.say("</tbody>\n</table></div>\n</section>\n")

    def _link(self, place: Place) -> str:
        name = os.path.basename(printable(place.file)) + ":" if len(self._files) > 1 else ""
        shown = f"{_safe(name)}{place.line}"
        if place in self._places:
            return f'<a href="#{self._anchor(place.file, place.line)}">{shown}</a>'
        return shown

    def _anchor(self, file: str, line: int) -> str:
        return f"f{self._files.index(printable(file))}-{line}"

    def _meanings(self, word: dict[str, str]) -> None:
        self.say(f"<section>\n<h2>{_safe(word['meaning'])}</h2>\n")
        for rank, row in enumerate(self.counts.rows()):
            known = entry(row.number, self.lang)
            opened = " open" if rank < _OPEN else ""
            inner = f' lang="{known.lang}"' if known.lang != self.lang else ""
            causes = "".join(f"<li>{_prose(cause)}</li>" for cause in known.causes)
            self.say(
                f'<details id="code-{row.number}"{inner}{opened}>\n'
                f"<summary><h3>{row.number} <code>{known.name}</code> "
                f"<span>{_safe(known.title)}</span></h3></summary>\n"
                f"<p>{_prose(known.meaning)}</p>\n<dl>\n"
                f"<dt>{_safe(word['causes'])}</dt><dd><ul>{causes}</ul></dd>\n"
                f"<dt>{_safe(word['user'])}</dt><dd>{_prose(known.remedy_user)}</dd>\n"
                f"<dt>{_safe(word['program'])}</dt><dd>{_prose(known.remedy_program)}</dd>\n</dl>\n</details>\n"
            )
        self.say("</section>\n")

    def _found(self, word: dict[str, str]) -> None:
        self.say(f'<section>\n<h2>{_safe(word["lines"])}</h2>\n<p class="filter" hidden>')
        buttons = [f'<button type="button" data-code="" aria-pressed="true">{_safe(word["all"])}</button>']
        buttons += [
            f'<button type="button" data-code="{row.number}" aria-pressed="false">{row.number}</button>'
            for row in self.counts.rows()
        ]
        self.say(" ".join(buttons) + "</p>\n")
        if self.counts.lines > len(self._lines):
            text = word["more"].replace("{shown}", str(len(self._lines))).replace("{count}", str(self.counts.lines))
            self.say(f'<p class="note">{_safe(text)}</p>\n')
        last = None
        for file, line in self._lines:
            if file != last:
                if last is not None:
                    self.say("</ol>\n")
                if len(self._files) > 1:
                    self.say(f"<h3><code>{_safe(printable(file))}</code></h3>\n")
                self.say('<ol class="lines">\n')
                last = file
            self._row(file, line, word)
        self.say("</ol>\n</section>\n")

    def _row(self, file: str, line: Line, word: dict[str, str]) -> None:
        codes = " ".join(str(hit.number) for hit in line.hits)
        marks = " ".join(
            f'<a href="#code-{hit.number}" title="{_safe(entry(hit.number, self.lang).title)}">{hit.name}</a>'
            for hit in line.hits
        )
        cut = f" <em>({_safe(word['cut'])})</em>" if line.cut else ""
        anchor = self._anchor(file, line.number)
        self.say(
            f'<li id="{anchor}" data-codes="{codes}"><a class="at" href="#{anchor}">{line.number}</a>'
            f'<pre>{_marked(line)}{cut}</pre><span class="codes">{marks}</span></li>\n'
        )


def _safe(text: str) -> str:
    return escape(text.translate(_CONTROLS))


def _prose(text: str) -> str:
    """A text of the catalogue, in which backquotes stand around code."""
    parts = _safe(text).split("`")
    if len(parts) % 2 == 0:
        return _safe(text)
    return "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))


def _marked(line: Line) -> str:
    """The line with its codes marked."""
    shown = []
    at = 0
    for hit in sorted(line.hits, key=lambda hit: hit.begin):
        if hit.begin >= at and hit.end > hit.begin:
            shown += [_safe(line.text[at : hit.begin]), "<mark>", _safe(line.text[hit.begin : hit.end]), "</mark>"]
            at = hit.end
    return "".join(shown) + _safe(line.text[at:])


_HEAD = """\
<!DOCTYPE html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
"""

_STYLE = """\
:root { --ink: #1c2128; --soft: #59636e; --line: #d1d9e0; --back: #fff; --card: #f6f8fa; --link: #0550ae;
  --mark: #fff3bf; --bar: #cfe4ff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --line: #3d444d; --back: #0d1117;
  --card: #151b23; --link: #6cb6ff; --mark: #5c4813; --bar: #17375e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem; color: var(--ink); background: var(--back);
  font: 16px/1.55 system-ui, "Segoe UI", "Noto Sans", sans-serif; }
body:lang(ja) {
  font-family: system-ui, "Yu Gothic UI", "Hiragino Sans", "Noto Sans CJK JP", "Noto Sans JP", sans-serif; }
body:lang(zh-Hant) {
  font-family: system-ui, "Microsoft JhengHei", "PingFang TC", "Noto Sans CJK TC", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2rem 0 .75rem; }
h3 { font-size: 1rem; margin: 0 0 .4rem; }
h3 span { font-weight: normal; color: var(--soft); }
a { color: var(--link); text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
code, pre { font-family: ui-monospace, "Cascadia Mono", Consolas, "DejaVu Sans Mono", monospace; font-size: .875em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .75rem; border-bottom: 1px solid var(--line); vertical-align: baseline; }
thead th { color: var(--soft); font-weight: 600; font-size: .875rem; white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bar { display: inline-block; min-width: 6rem; padding: 0 .35rem; border-radius: 3px;
  background: linear-gradient(to left, var(--bar) calc(var(--share) * 100%), transparent 0); }
details { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .6rem 1.1rem;
  margin-bottom: .5rem; }
summary { cursor: pointer; }
summary h3 { display: inline; }
details:target, li:target { outline: 2px solid var(--link); outline-offset: 1px; }
details p { margin: .5rem 0 .6rem; }
dl { display: grid; grid-template-columns: 10rem 1fr; gap: .35rem 1rem; margin: 0; }
dt { color: var(--soft); font-size: .9rem; }
dd { margin: 0; }
dd ul { margin: 0; padding-left: 1.1rem; }
.filter { display: flex; flex-wrap: wrap; gap: .4rem; }
.filter[hidden] { display: none; }
button { font: inherit; font-size: .875rem; padding: .15rem .7rem; border: 1px solid var(--line); border-radius: 1rem;
  color: inherit; background: var(--card); cursor: pointer; }
button[aria-pressed="true"] { background: var(--link); border-color: var(--link); color: var(--back); }
.note { color: var(--soft); }
.lines { list-style: none; margin: 0; padding: 0; border: 1px solid var(--line); border-radius: 6px; }
.lines li { display: grid; grid-template-columns: minmax(3.5rem, max-content) 1fr max-content; gap: .9rem;
  padding: .3rem .8rem; border-bottom: 1px solid var(--line); align-items: baseline; }
.lines li:last-child { border-bottom: 0; }
.lines li[hidden] { display: none; }
.at { text-align: right; color: var(--soft); font-variant-numeric: tabular-nums; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
mark { background: var(--mark); color: inherit; border-radius: 2px; padding: 0 .1em; }
.codes { font-size: .8rem; text-align: right; }
footer { margin-top: 2rem; color: var(--soft); font-size: .875rem; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } .lines li { grid-template-columns: auto 1fr; }
  .codes { grid-column: 2; text-align: left; } }
@media print { .filter { display: none; } body { max-width: none; } details, li { break-inside: avoid; } }
"""

_SCRIPT = """\
<script>
const buttons = document.querySelectorAll(".filter button");
for (const bar of document.querySelectorAll(".filter")) bar.hidden = false;
for (const button of buttons) button.addEventListener("click", () => {
  for (const other of buttons) other.setAttribute("aria-pressed", other === button);
  const code = button.dataset.code;
  for (const row of document.querySelectorAll(".lines li"))
    row.hidden = code !== "" && !row.dataset.codes.split(" ").includes(code);
});
</script>
"""

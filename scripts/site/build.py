"""Build the site: the documents, and the reference of codes in every language there is.

    build.py [--out DIRECTORY] [--codes 10054,10013] [--lang en,ja]

Without options everything, into build/site.  It needs no network, nor do the pages: fonts are the reader's own.  The
pages can be opened from the disk; the search in them needs a server (python -m http.server).
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from pathlib import Path

import yaml
from mkdocs.commands.build import build
from mkdocs.config import load_config

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import pages  # noqa: E402

from winsock.codes import explain, languages  # noqa: E402
from winsock.codes._texts import DATA  # noqa: E402

ROOT = HERE.parents[1]
STYLE = """\
.md-typeset table:not([class]) { font-size: .68rem; }
.languages { margin-top: 3em; }
@media (max-width: 30em) {  /* a name of a code stays in one piece on a telephone */
  .md-typeset table:not([class]) :is(th, td) { padding: .5em .6em; min-width: 0; }
  .md-typeset table:not([class]) td:first-child code { white-space: nowrap; font-size: .55rem; }
}
.md-select__inner { left: auto; right: -.3rem; }  /* the menu of languages is the header's last thing */
:lang(ja) { line-break: strict; word-break: auto-phrase; }  /* no small kana at a line's start */
:lang(zh-Hant) { line-break: strict; }
:lang(ja) { --md-text-font: "Noto Sans CJK JP", "Noto Sans JP", "Yu Gothic", "Hiragino Sans", Meiryo; }
:lang(zh-Hant) { --md-text-font: "Noto Sans CJK TC", "Noto Sans TC", "Microsoft JhengHei", "PingFang TC"; }
"""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "site", help="default: build/site")
    parser.add_argument("--codes", help="only these codes, by number; for tests")
    parser.add_argument("--lang", help="only these languages; for tests")
    args = parser.parse_args(argv)
    chosen = args.lang.split(",") if args.lang else [name for name in pages.LABELS if name in languages()]
    numbers = [int(word) for word in args.codes.split(",")] if args.codes else all_codes()
    unknown = [str(n) for n in numbers if explain(n) is None] + [name for name in chosen if name not in languages()]
    if unknown:
        parser.error(f"not known: {', '.join(unknown)}")
    # English cleans the place that the others lie in, so it comes first.
    for lang in sorted(chosen, key=lambda name: name != "en"):
        source = args.out.with_name(args.out.name + "-source") / lang
        write_source(source, lang, numbers, chosen)
        target = args.out if lang == "en" else args.out / lang
        build(load_config(str(configuration(source, target, lang, chosen))))
        if lang == "zh-Hant":
            cut_for_search(target / "search" / "search_index.json")
    print(f"built {args.out / 'index.html'}: {len(numbers)} codes in {', '.join(chosen)}")
    return 0


def all_codes() -> list[int]:
    """Every code that has an entry."""
    found = re.findall(r"^\[(\d+)\]$", (Path(DATA) / "en.toml").read_text("utf-8"), re.M)
    return [int(number) for number in found]


def all_functions() -> list[str]:
    """Every function of the matrix."""
    names = {use.function for number in all_codes() for use in pages.functions_of(number)}
    return sorted(names, key=str.lower)


def write_source(source: Path, lang: str, numbers: list[int], chosen: list[str]) -> None:
    """The Markdown of one language."""
    shutil.rmtree(source, ignore_errors=True)
    codes = source / "codes"
    codes.mkdir(parents=True)
    entries = [entry for number in numbers if (entry := explain(number, lang=lang)) is not None]
    for entry in entries:
        (codes / pages.names_of(entry.number)).write_text(pages.code_page(entry, lang, chosen), "utf-8")
    (codes / "index.md").write_text(pages.by_number(entries, lang), "utf-8")
    (codes / "names.md").write_text(pages.by_name(entries, lang), "utf-8")
    (codes / "functions.md").write_text(pages.by_function(all_functions(), set(numbers), lang), "utf-8")
    (codes / "symptoms.md").write_text(pages.by_symptom(entries, lang), "utf-8")
    if lang == "en":
        for document in (ROOT / "docs").glob("*.md"):
            shutil.copy(document, source)
        with (source / "index.md").open("a", encoding="utf-8") as index:
            index.write(links_to_codes(chosen))
    else:
        say = pages.LABELS[lang]
        links = "\n".join(f"- [{say[label]}](codes/{name}.md)" for name, label in pages.INDEXES)
        (source / "index.md").write_text(f"# {say['site']}\n\n{pages.text(say['intro'])}\n\n{links}\n", "utf-8")
    (source / "style.css").write_text(STYLE, "utf-8")


def links_to_codes(chosen: list[str]) -> str:
    """A section for the site's first page, which lies beside no codes in the repository."""
    lines = ["", f"## {pages.LABELS['en']['codes']}", ""]
    for lang in chosen:
        say, folder = pages.LABELS[lang], "" if lang == "en" else f"{lang}/"
        links = (f'<a href="{folder}codes/{name}.html">{say[label]}</a>' for name, label in pages.INDEXES)
        lines.append(f'- <span lang="{lang}">{say["language"]}{say["colon"]}{say["comma"].join(links)}</span>')
    return "\n".join([*lines, ""])


def configuration(source: Path, target: Path, lang: str, chosen: list[str]) -> Path:
    """mkdocs' configuration for one language, beside its source."""
    say = pages.LABELS[lang]
    nav: list[object] = []
    if lang == "en":
        nav += [path.name for path in documents()]
    else:
        nav += ["index.md"]
    nav.append({
        say["codes"]: [
            {say[label]: f"codes/{name}.md"} for name, label in pages.INDEXES
        ]
    })  # fmt: skip
    up = "" if lang == "en" else "../"
    settings = {
        "site_name": say["site"],
        "docs_dir": str(source),
        "site_dir": str(target),
        "use_directory_urls": False,
        "theme": {
            "name": "material",
            "language": say["theme"],
            "font": False,
            "features": ["navigation.sections", "toc.follow", "search.highlight"],
            "palette": [
                {"media": "(prefers-color-scheme: light)", "scheme": "default", "primary": "indigo"},
                {"media": "(prefers-color-scheme: dark)", "scheme": "slate", "primary": "indigo"},
            ],
        },
        # No stems: half a name that somebody types would not begin its stem.
        "plugins": [{"search": {"lang": search_languages(lang), "pipeline": []}}],
        "markdown_extensions": ["attr_list", "tables", "toc"],
        "extra_css": ["style.css"],
        "extra": {
            "generator": False,
            "alternate": [
                {
                    "name": pages.LABELS[other]["language"],
                    "link": f"{up}{'' if other == 'en' else other + '/'}index.html",
                    "lang": other,
                }
                for other in chosen
            ],
        },
        "nav": nav,
        "not_in_nav": "codes/[0-9]*.md",
    }
    path = source.with_name(f"{lang}.yml")
    path.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), "utf-8")
    return path


def cut_for_search(index: Path) -> None:
    """Put the engine's invisible separator around each Chinese character: it knows no words, and finds them so."""
    found = json.loads(index.read_text("utf-8"))
    for page in found["docs"]:
        for field in ("title", "text"):
            page[field] = re.sub(r"(?<=[\u3400-\u9fff])(?=[\u3400-\u9fff])", "\u200b", page[field])
    index.write_text(json.dumps(found, ensure_ascii=False, separators=(",", ":")), "utf-8")


def search_languages(lang: str) -> list[str]:
    """What the search engine cuts into words its own way; it has that for Chinese only with a further package."""
    return {"fr": ["fr", "en"], "ja": ["ja", "en"]}.get(lang, ["en"])


def documents() -> list[Path]:
    """docs/*.md as docs/index.md lists them."""
    index = ROOT / "docs" / "index.md"
    named = re.findall(r"\]\(([\w-]+\.md)\)", index.read_text("utf-8"))
    listed = [ROOT / "docs" / name for name in dict.fromkeys(named)]
    rest = sorted(set((ROOT / "docs").glob("*.md")) - set(listed) - {index})
    return [index, *listed, *rest]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

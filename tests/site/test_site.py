"""The built site: complete, its links lead somewhere, and a browser shows each language in fonts made for it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from winsock.codes import explain, languages

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "scripts" / "site" / "build.py"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LANGUAGES = languages()
CJK = {"ja": "JP", "zh-Hant": "TC"}
INDEXES = ("index", "names", "functions", "symptoms")

pytest.importorskip("mkdocs", reason="the site is built with mkdocs: pip install -e '.[dev]'")


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The whole site, as `make docs` builds it."""
    out = tmp_path_factory.mktemp("built") / "site"
    build = [sys.executable, "-W", "ignore", str(BUILD), "--out", str(out)]
    done = subprocess.run(build, capture_output=True, text=True, encoding="utf-8", timeout=110)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    return out


def codes_of(site, lang):
    return (site if lang == "en" else site / lang) / "codes"


class Page(HTMLParser):
    """Links, anchors, language and text of a page."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors, self.lang, self.words = [], set(), None, []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "html":
            self.lang = attrs.get("lang")
        if tag == "a" and "href" in attrs:
            self.links.append(attrs["href"])
        if "id" in attrs:
            self.anchors.add(attrs["id"])

    def handle_data(self, data):
        self.words.append(data)


def squeezed(text):
    return "".join(text.split())


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_code_has_its_page(site, lang):
    folder = codes_of(site, lang)
    index = Page(folder / "index.html")
    assert index.lang == lang
    numbers = {int(link.removesuffix(".html")) for link in index.links if re.fullmatch(r"\d+\.html", link)}
    assert len(numbers) > 150
    for number in sorted(numbers):
        page = Page(folder / f"{number}.html")
        text = squeezed("".join(page.words))
        entry = explain(number, lang=lang)
        assert page.lang == lang
        for words in (entry.title, entry.meaning, entry.remedy_program, *entry.causes):
            assert squeezed(words.replace("`", "")) in text, number


def test_links_lead_somewhere(site):
    """Every link of every page, anchors included."""
    pages = {path: Page(path) for path in site.rglob("*.html") if path.name != "404.html"}
    broken = set()
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target not in pages or (parts.fragment and unquote(parts.fragment) not in pages[target].anchors):
                broken.add(f"{path.relative_to(site)}: {link}")
    assert sorted(broken) == []
    assert len(pages) > 170


def test_the_first_page_leads_to_the_indexes_of_every_language(site):
    links = set(Page(site / "index.html").links)
    for lang in LANGUAGES:
        folder = codes_of(site, lang).relative_to(site)
        assert {f"{folder}/{name}.html" for name in INDEXES} <= links


def test_nothing_comes_from_elsewhere(site):
    """No page makes the reader's browser ask another machine."""
    asked = re.compile(r"<(?:script|img|iframe)[^>]+src=\"?(?:https?:)?//|<link[^>]+stylesheet[^>]+href=\"?https?:")
    assert [path for path in site.rglob("*.html") if asked.search(path.read_text("utf-8"))] == []


def test_what_is_not_known_is_refused(tmp_path):
    build = [sys.executable, "-W", "ignore", str(BUILD), "--out", str(tmp_path / "x"), "--codes", "4711"]
    done = subprocess.run(build, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "4711" in done.stderr
    assert not (tmp_path / "x").exists()


# ################ in a browser ################


@pytest.fixture(scope="module")  # its event loop would be in the way of other files' tests
def browser():
    if BROWSER is None:
        pytest.skip("needs Chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        program = running.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield program
        program.close()


@pytest.fixture
def look(browser):
    """Open a page at a desk's or a telephone's width."""
    opened = []

    def open_page(path, width=1200):
        page = browser.new_page(viewport={"width": width, "height": 900})
        opened.append(page)
        page.goto(path.as_uri())
        return page

    yield open_page
    for page in opened:
        page.close()


def fonts(page, selector):
    """The fonts that the browser really drew an element's text with, by number of glyphs."""
    session = page.context.new_cdp_session(page)
    session.send("DOM.enable")
    session.send("CSS.enable")
    root = session.send("DOM.getDocument")["root"]["nodeId"]
    node = session.send("DOM.querySelector", {"nodeId": root, "selector": selector})["nodeId"]
    found = session.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
    return {font["familyName"]: font["glyphCount"] for font in found}


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("width", [1200, 390])
def test_nothing_runs_out_of_the_page(site, look, lang, width):
    for name in ("10054", "index", "symptoms"):
        page = look(codes_of(site, lang) / f"{name}.html", width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.evaluate("getComputedStyle(document.querySelector('article p')).direction") == "ltr"
        assert page.evaluate("getComputedStyle(document.querySelector('article p')).writingMode") == "horizontal-tb"


@pytest.mark.parametrize("lang", [lang for lang in LANGUAGES if lang in CJK])
def test_characters_come_in_the_language_own_font(site, look, lang, tmp_path):
    """Han characters look different in Japan and Taiwan: the font has to be the reader's, and have every glyph."""
    page = look(codes_of(site, lang) / "10054.html")
    used = fonts(page, "article ul li")
    if not any("CJK" in name or "Noto Sans" in name for name in used):
        pytest.skip(f"no Noto CJK fonts here, but {used}")
    names = [name for name, glyphs in used.items() if glyphs > 5]
    assert any(CJK[lang] in name for name in names), used
    # On the screenshot: no two of these characters look alike, as boxes for missing glyphs would.
    characters = sorted(set(re.findall(r"[぀-鿿]", page.inner_text("article ul"))))[:12]
    assert len(characters) > 5
    shots = set()
    for character in characters:
        page.evaluate("c => { document.querySelector('h1').textContent = c }", character)
        shots.add(page.locator("h1").screenshot())
    assert len(shots) == len(characters)
    # A line of text is wide and low: it runs from left to right.
    page.evaluate("c => { document.querySelector('h1').textContent = c.repeat(10) }", characters[0])
    box = page.evaluate(
        "() => { const r = document.createRange(); r.selectNodeContents(document.querySelector('h1'));"
        " const b = r.getBoundingClientRect(); return [b.width, b.height] }"
    )
    assert box[0] > 5 * box[1]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", "actively refused"),
        ("fr", "connexion refusée"),
        ("ja", "WSAECONNREFUSED"),
        ("zh-Hant", "連線遭拒"),
    ],
)
def test_the_search_finds_a_code(site, browser, lang, words):
    """Its own page first, whatever the language; the search needs a server, if only python -m http.server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        place = (codes_of(site, lang) / "index.html").relative_to(site)
        page.goto(f"http://127.0.0.1:{server.server_port}/{place}")
        found = page.locator(".md-search-result__item a")
        for _ in range(40):  # what is typed before the page's script listens is lost: type again, as a person would
            page.fill("input[name=query]", words)
            page.press("input[name=query]", "End")  # the script listens to keys, and fill() presses none
            for _ in range(25):
                if found.count():
                    break
                page.wait_for_timeout(100)
            if found.count():
                break
        assert "10061 WSAECONNREFUSED" in page.inner_text(".md-search-result__item >> nth=0")
        page.close()
        server.shutdown()


@pytest.mark.parametrize("lang", [lang for lang in LANGUAGES if lang in CJK])
def test_punctuation_is_that_of_the_language(site, lang):
    """No half-width mark stands between two Chinese or Japanese characters, in what the site adds to the texts."""
    half = re.compile(r"[぀-鿿][.,;:] ?[぀-鿿]")
    for name in ("10054", "10061", *INDEXES):
        words = " ".join("".join(Page(codes_of(site, lang) / f"{name}.html").words).split())
        assert not half.search(words), (name, half.search(words))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_index_by_symptom_leads_from_what_windows_says(site, lang):
    page = Page(codes_of(site, lang) / "symptoms.html")
    shown = squeezed("".join(page.words))
    for number in (10013, 10048, 10054, 10060, 10061, 11001):
        assert f"{number}.html" in page.links
        assert squeezed(explain(number, lang=lang).message) in shown


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_page_has_the_spellings_of_other_languages(site, lang):
    words = "".join(Page(codes_of(site, lang) / "10054.html").words)
    for world, spelling in explain(10054).spellings:
        assert world in words
        assert spelling in words

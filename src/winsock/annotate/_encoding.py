"""What a log's bytes mean: UTF-8, the UTF-16 of Windows' own tools, or an older code page.

UTF-16 and UTF-32 are known by their mark or their zeros.  Among the others a line is UTF-8 if it can be; for lines
that cannot, the code page is guessed once for a file, by what reads most like a language.
"""

from __future__ import annotations

import codecs
import re
from itertools import pairwise

# As the marks at the beginning of a file; UTF-32's first, of which UTF-16's are a part.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_SAMPLE = 65536

# Letters and signs that are frequent in each language, and in logs.
_FREQUENT = {
    "ja": "のにはをたがでてとしれさいなるかまりっんスルトンクリラーイシタレドプロコアマサエッ接続要求時間失敗成功",
    "zh-Hant": "的一是不在有人這中大為上個國我以要時來用們生到作地於出就分對成會可主發年動同工也能下"
    "過子說產種面而方後多連線電腦錯誤無法遠端資料伺服器網路失敗檔案",
    "zh-Hans": "的一是不在有人这中大为上个国我以要时来用们生到作地于出就分对成会可主发年动同工也能下"
    "过子说产种面而方后多连接计算机错误无法远程数据服务器网络失败文件",
    "ko": "이다는을를의에가지고하한로사기은어서대시인도자있그리수나해아들일스정연결오류호트컴퓨터",
    "ru": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфОПНСВКЗ",
    "west": "éèêàâçùûôîïëäöüßñóíáúãõìòÉÀÄÖÜÑ«»¿¡°·’ ",
    "pl": "ąćęłńóśźżŁŚŻ",
}
_PAGES = (
    ("cp932", "ja"),
    ("euc_jp", "ja"),
    ("cp950", "zh-Hant"),
    ("gb18030", "zh-Hans"),
    ("cp949", "ko"),
    ("cp1251", "ru"),
    ("cp866", "ru"),
    ("koi8-r", "ru"),
    ("cp1250", "pl"),
    ("cp1252", "west"),
    ("cp850", "west"),
)
_ENOUGH = 0.25
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def sniff(head: bytes) -> tuple[str, int]:
    """The encoding that the first bytes of a log show, and the length of their mark; "" when they show none."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    head = head[: len(head) & ~3]
    zeros = head.count(0)
    if zeros * 4 < len(head) or not head:
        return "", 0
    for encoding in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
        try:
            text = head.decode(encoding)
        except UnicodeDecodeError:
            continue
        plain = sum(1 for c in text if " " <= c <= "~" or c in "\t\r\n")
        if plain * 4 >= len(text) * 3:
            return encoding, 0
    return "", 0


def is_wide(encoding: str) -> bool:
    """Whether the encoding's ASCII is not ASCII's bytes, so that it has to be turned into UTF-8 first."""
    return encoding in _WIDE


def normal(encoding: str) -> str:
    """A codec's name as Python writes it, with a byte order where there must be one.  LookupError: no such codec."""
    name = codecs.lookup(encoding).name
    return {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}.get(name, name)


def needs_transcoding(encoding: str) -> bool:
    """Whether ASCII's characters are not single bytes of the same value in an encoding."""
    every = bytes(range(32, 127)) + b"\r\n\t"
    try:
        return is_wide(encoding) or every.decode(encoding) != every.decode("ascii")
    except UnicodeDecodeError:
        return True


def guess(sample: bytes) -> str:
    """The code page of bytes that are no UTF-8; "" when they read like no language."""
    sample = sample[:_SAMPLE]
    lines = [line for line in re.split(rb"[\r\n]+", sample) if not line.isascii() and not _CONTROLS.search(line)]
    best, best_share = "", _ENOUGH
    joined = b"\n".join(lines)
    for page, language in _PAGES:
        try:
            text = joined.decode(page)
        except UnicodeDecodeError:
            text = joined.decode(page, "ignore")
            if len(text) < len(joined) // 4:
                continue
            share = 0.5 * _share(text, language)
        else:
            share = _share(text, language)
        if share > best_share:
            best, best_share = page, share
    return best


def _share(text: str, language: str) -> float:
    """How much of what is not ASCII reads like the language."""
    foreign = [c for c in text if c > "\x7f"]
    if not foreign:
        return 0.0
    frequent = _FREQUENT[language]
    share = sum(1 for c in foreign if c in frequent) / len(foreign)
    if language in ("west", "pl"):  # their letters stand among ASCII's
        settled = sum(1 for a, b in pairwise(text) if b > "\x7f" and (a.isalpha() or a in " '\""))
        share *= settled / len(foreign)
    elif language == "ru":  # and these together
        settled = sum(1 for a, b in pairwise(text) if a > "\x7f" and b > "\x7f")
        share *= min(1.0, 1.25 * settled / len(foreign))
    return share

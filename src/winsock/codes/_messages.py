"""What Windows itself says: the messages of FormatMessage."""

from __future__ import annotations

from winsock.codes._hresult import from_hresult
from winsock.codes._texts import DEFAULT, language, languages, locale_name, match, table


def message(code: int, lang: str = DEFAULT) -> str | None:
    """Windows' own message for a code, as FormatMessage gives it and CPython shows it: without the closing dot.

    code    a Winsock or Win32 error number, or an HRESULT of facility WIN32
    lang    "en" or another of languages(), also as "fr-CA" or "fr_CA.UTF-8"; a message that it lacks comes in
            English.  ValueError: no such language

    None for a code Windows has no message for, or that this catalogue does not have; see error_text().
    """
    lang = language(lang)
    inner = from_hresult(code)
    if inner is not None:
        code = inner
    text = table(lang, str(int(code))).get("system")
    if text is None and lang != DEFAULT:
        text = table(DEFAULT, str(int(code))).get("system")
    return text if isinstance(text, str) else None


def error_text(code: int, lang: str = DEFAULT) -> str:
    """The text of Python's `[WinError n] text`: the message, or what CPython writes where there is none."""
    return message(code, lang) or f"Windows Error 0x{code & 0xFFFFFFFF:x}"


def locale_language() -> str:
    """The language of this process's locale (LC_ALL, LC_MESSAGES, LANG), if there are texts in it; else English."""
    return match(locale_name(), languages()) or DEFAULT

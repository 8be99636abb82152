"""What every code is: its number, names, title and meaning, and its counterparts elsewhere.

The numbers and the maps are plain tables.  The knowledge (explain, message, lookup) is read from one TOML
file a language, entry by entry when asked, so that importing this package stays cheap.
"""

TYPE_CHECKING = False  # as in typing, without its import time
if TYPE_CHECKING:
    from winsock.codes._catalogue import Entry as Entry
    from winsock.codes._catalogue import explain as explain
    from winsock.codes._cpython import errno_class as errno_class
    from winsock.codes._cpython import exception_class as exception_class
    from winsock.codes._cpython import winerror_to_errno as winerror_to_errno
    from winsock.codes._elsewhere import from_spelling as from_spelling
    from winsock.codes._elsewhere import spellings as spellings
    from winsock.codes._errno import from_errno as from_errno
    from winsock.codes._errno import to_errno as to_errno
    from winsock.codes._errors import WinsockError as WinsockError
    from winsock.codes._hresult import from_hresult as from_hresult
    from winsock.codes._hresult import to_hresult as to_hresult
    from winsock.codes._lookup import lookup as lookup
    from winsock.codes._lookup import lookup_all as lookup_all
    from winsock.codes._matrix import Condition as Condition
    from winsock.codes._matrix import Facts as Facts
    from winsock.codes._matrix import Function as Function
    from winsock.codes._matrix import Refusal as Refusal
    from winsock.codes._matrix import Use as Use
    from winsock.codes._matrix import about as about
    from winsock.codes._matrix import codes_of as codes_of
    from winsock.codes._matrix import conditions as conditions
    from winsock.codes._matrix import facts_of as facts_of
    from winsock.codes._matrix import functions_of as functions_of
    from winsock.codes._matrix import refusals_of as refusals_of
    from winsock.codes._messages import error_text as error_text
    from winsock.codes._messages import locale_language as locale_language
    from winsock.codes._messages import message as message
    from winsock.codes._names import name_of as name_of
    from winsock.codes._nearest import suggest as suggest
    from winsock.codes._ntstatus import NTSTATUS as NTSTATUS
    from winsock.codes._ntstatus import ntstatus_to_win32 as ntstatus_to_win32
    from winsock.codes._ntstatus import ntstatus_to_wsa as ntstatus_to_wsa
    from winsock.codes._ntstatus import wsa_to_ntstatus as wsa_to_ntstatus
    from winsock.codes._resolver import from_eai as from_eai
    from winsock.codes._resolver import from_h_errno as from_h_errno
    from winsock.codes._resolver import to_eai as to_eai
    from winsock.codes._resolver import to_h_errno as to_h_errno
    from winsock.codes._texts import labels as labels
    from winsock.codes._texts import languages as languages
    from winsock.codes._wsa import WSA as WSA

_LAZY = {
    "errno_class": "_cpython",
    "exception_class": "_cpython",
    "winerror_to_errno": "_cpython",
    "from_errno": "_errno",
    "to_errno": "_errno",
    "WinsockError": "_errors",
    "from_hresult": "_hresult",
    "to_hresult": "_hresult",
    "from_eai": "_resolver",
    "from_h_errno": "_resolver",
    "to_eai": "_resolver",
    "to_h_errno": "_resolver",
    "WSA": "_wsa",
    "Entry": "_catalogue",
    "explain": "_catalogue",
    "Condition": "_matrix",
    "Facts": "_matrix",
    "Function": "_matrix",
    "Refusal": "_matrix",
    "Use": "_matrix",
    "about": "_matrix",
    "codes_of": "_matrix",
    "conditions": "_matrix",
    "facts_of": "_matrix",
    "functions_of": "_matrix",
    "refusals_of": "_matrix",
    "from_spelling": "_elsewhere",
    "spellings": "_elsewhere",
    "lookup": "_lookup",
    "lookup_all": "_lookup",
    "suggest": "_nearest",
    "name_of": "_names",
    "NTSTATUS": "_ntstatus",
    "ntstatus_to_win32": "_ntstatus",
    "ntstatus_to_wsa": "_ntstatus",
    "wsa_to_ntstatus": "_ntstatus",
    "error_text": "_messages",
    "labels": "_texts",
    "languages": "_texts",
    "locale_language": "_messages",
    "message": "_messages",
}


def __getattr__(name: str) -> object:
    if (module := _LAZY.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(__import__(f"{__name__}.{module}", fromlist=(name,)), name)
    globals()[name] = value
    return value

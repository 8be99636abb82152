"""Socket errors in logs: where they are and which they are, whatever wrote the log and in whatever language.

    find(text)              the socket errors in one line
    annotate(lines)         the lines of an iterable that hold any
    scan(stream)            the same for a binary stream: encodings, long lines and speed are taken care of
    Scanner                 the same, fed by hand

What a code means is in winsock.codes.
"""

from winsock.annotate._find import Hit as Hit
from winsock.annotate._find import find as find
from winsock.annotate._scan import Line as Line
from winsock.annotate._scan import Scanner as Scanner
from winsock.annotate._stream import annotate as annotate
from winsock.annotate._stream import scan as scan

"""python -m winsock"""

import sys

from winsock.cli import main

if __name__ == "__main__":
    sys.exit(main())

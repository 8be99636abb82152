"""A cache for functions: functools' would be the dearest import of a short command."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from functools import cache as cache
else:
    _MOST = 4096

    def cache(function):
        """Remember what the function returned for which arguments; `.cache_clear()` forgets."""
        memory = {}

        def cached(*arguments):
            try:
                return memory[arguments]
            except KeyError:
                pass
            if len(memory) >= _MOST:
                memory.clear()
            value = memory[arguments] = function(*arguments)
            return value

        cached.__doc__, cached.__name__, cached.__wrapped__ = function.__doc__, function.__name__, function
        cached.cache_clear = memory.clear
        return cached

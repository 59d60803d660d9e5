"""What was found out, kept: verdicts with all that they depend on, so that none is found twice.

The room stands above `verify`, but only `cached` knows its types: the rest takes and gives
plain JSON dictionaries beside a `Key`. One folder holds an SQLite database and, content
addressed, the texts that its rows speak of. Storing never raises for what the disk does: it
goes on in memory and warns.
"""

from semrep.store.cached import CachedVerifier
from semrep.store.evidence import Evidence, Hit, Summary
from semrep.store.key import Key
from semrep.store.store import Run, Store, StoreWarning, VerdictChanged

__all__ = [
    "CachedVerifier",
    "Evidence",
    "Hit",
    "Key",
    "Run",
    "Store",
    "StoreWarning",
    "Summary",
    "VerdictChanged",
]

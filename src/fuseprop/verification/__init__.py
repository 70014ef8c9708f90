"""Verification: one backend against another, from one start, step by step and tensor by tensor.

`verify` opens the backends and says what is compared; `cases` are the networks, `side` is one of them on one
backend, `steps` compares, `free` lets both run, and `certificate` holds what was found.
"""

from .certificate import Certificate, CertificateError
from .verifying import NothingToCompare, OptionError, verify

__all__ = ["Certificate", "CertificateError", "NothingToCompare", "OptionError", "verify"]

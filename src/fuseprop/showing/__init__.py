"""How objects show themselves in a notebook, and pages that commands write: pieces of HTML, put together.

The pieces have no scripts, no colours of their own and nothing from elsewhere, so that a light page and a
dark one show them alike. All text is escaped here, and so may hold anything.
"""

from .html import lines, paragraph, picture, section, table
from .sparkline import sparkline

__all__ = ["lines", "paragraph", "picture", "section", "sparkline", "table"]

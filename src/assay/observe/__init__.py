"""What people and machines can see of a running role: logs and progress."""

from .files import read_json, write_json
from .log import configure_log, get_log
from .progress import Progress, ProgressBoard

__all__ = ["Progress", "ProgressBoard", "configure_log", "get_log", "read_json", "write_json"]

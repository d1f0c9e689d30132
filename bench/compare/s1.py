"""The columns of a line in the `s1` format, and a regular expression (RE2) that takes it apart."""

COLUMNS = (
    "ts gateway pid log_counter request_counter customer service network class event key_fp client_ip client_port"
    " listener_port method path status bytes_in bytes_out times termination backend server repeat"
).split()
TEXTS = "key_fp client_ip method path times termination backend server".split()

_NUMBER, _WORD = r"(\d+)", r"(\S+)"
_SPECIAL = {
    "customer": r"(\d+|-)",
    "key_fp": "([0-9A-F]+)",
    "path": r"(\S*)",
    "times": "/".join([r"(-?\d+)"] * 7),
}
PATTERN = "^s1 " + " ".join(_SPECIAL.get(name, _WORD if name in TEXTS else _NUMBER) for name in COLUMNS) + "$"

# `times` is seven groups: handshake, idle, request, queue, connect, response, total.
PHASES = [f"t{number}" for number in range(7)]
GROUPS = [group for name in COLUMNS for group in (PHASES if name == "times" else [name])]

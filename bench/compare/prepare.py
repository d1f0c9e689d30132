"""prepare.py LOG FOLDER: what has to be there before anything is timed.

FOLDER/counts.json    requests and bytes out by customer and service, counted here and independently of all tools
FOLDER/combined.log   the lines in Apache's combined form with a virtual host `customer.service`, for GoAccess
FOLDER/rows.csv       the lines as rows of PostgreSQL's table
"""

import json
import sys
import time

FRONTEND, BACKENDS = 1, {b"be_seal": b"1", b"be_grpc": b"2", b"be_graphql": b"3"}


def main(log, folder):
    counts, days, stamps = {}, {}, {}
    with (
        open(log, "rb", buffering=1 << 20) as lines,
        open(f"{folder}/combined.log", "wb", buffering=1 << 20) as combined,
        open(f"{folder}/rows.csv", "wb", buffering=1 << 20) as rows,
    ):
        for line in lines:
            (_, ts, gateway, _, _, _, customer, service, network, traffic_class, event, fp, ip, _, _, method, path,
             status, _, sent, times, termination, backend, _, repeat) = line.split(b" ")  # fmt: skip
            handshake, idle, request, queue, connect, response, total = times.split(b"/")
            ms = int(ts) + int(handshake) + int(idle)
            second, ms = divmod(ms, 1000)
            if second not in stamps:
                moment = time.gmtime(second)
                stamps[second] = time.strftime("%Y-%m-%d %H:%M:%S", moment).encode()
                days[second] = time.strftime("%d/%b/%Y:%H:%M:%S", moment).encode()
            known = b"0" if customer == b"-" else customer
            sums = counts.setdefault((known, service), [0, 0])
            sums[0] += int(repeat)
            sums[1] += int(sent)
            combined.write(
                b'%b.%b %b - - [%b +0000] "%b %b HTTP/1.1" %b %b %b\n'
                % (known, service, ip, days[second], method, path, status, sent, total)
            )
            rows.write(
                b"%b.%03d+00,%b,%b,,%b,%b,%b,%d,%d,%b,%b,%b,,%b,%b,%b,%b,%b,%b,%b,%b,%b\n"
                % (stamps[second], ms, b"" if customer == b"-" else b"%d" % signed(int(customer)), path[1:11], network,
                   gateway, service, signed(int(fp, 16)), FRONTEND, traffic_class, event, ip, status, sent, total,
                   request, queue, connect, response, BACKENDS.get(backend, b"0"), termination)  # fmt: skip
            )
    listed = sorted([int(customer), int(service), *sums] for (customer, service), sums in counts.items())
    with open(f"{folder}/counts.json", "w") as out:
        json.dump({"rows": sum(row[2] for row in listed), "counts": listed}, out)


def signed(number):
    """32 bits as PostgreSQL's `integer` holds them, which has no unsigned numbers."""
    return number - (1 << 32) if number >= 1 << 31 else number


main(*sys.argv[1:])

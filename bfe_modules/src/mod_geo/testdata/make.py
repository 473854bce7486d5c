"""Makes the small databases of the tests: python3 make.py"""

import ipaddress
import struct


U16, U32, U64 = 5, 6, 9


def field(value):
    """A value in the data format of MaxMind DB."""
    if isinstance(value, str):
        data = value.encode()
        return control(2, len(data)) + data
    if isinstance(value, float):
        return control(3, 8) + struct.pack(">d", value)
    if isinstance(value, tuple):
        kind, number = value
        data = number.to_bytes((number.bit_length() + 7) // 8, "big")
        return control(kind, len(data)) + data
    if isinstance(value, list):
        return control(11, len(value)) + b"".join(map(field, value))
    return control(7, len(value)) + b"".join(field(k) + field(v) for k, v in value.items())


def control(kind, size):
    assert size < 29 + 256
    extended = bytes([kind - 7]) if kind > 7 else b""
    first = (kind if kind <= 7 else 0) << 5
    if size < 29:
        return bytes([first | size]) + extended
    return bytes([first | 29]) + extended + bytes([size - 29])


def database(kind, version, networks):
    """Networks with their data, as a tree of nodes with two records of 24 bits."""
    data, offsets, nodes = b"", {}, [[None, None]]
    for network, value in networks:
        if str(value) not in offsets:
            offsets[str(value)] = len(data)
            data += field(value)
        network = ipaddress.ip_network(network)
        bits = f"{int(network.network_address):0{network.max_prefixlen}b}"[: network.prefixlen]
        if version == 6 and network.version == 4:
            bits = "0" * 96 + bits
        at = 0
        for bit in bits[:-1]:
            if nodes[at][int(bit)] is None:
                nodes[at][int(bit)] = ("node", len(nodes))
                nodes.append([None, None])
            at = nodes[at][int(bit)][1]
        nodes[at][int(bits[-1])] = ("data", offsets[str(value)])
    record = {
        None: lambda _: len(nodes),
        "node": lambda at: at,
        "data": lambda at: len(nodes) + 16 + at,
    }
    tree = b"".join(
        (record[None](0) if r is None else record[r[0]](r[1])).to_bytes(3, "big") for n in nodes for r in n
    )
    metadata = {
        "binary_format_major_version": (U16, 2),
        "binary_format_minor_version": (U16, 0),
        "build_epoch": (U64, 1700000000),
        "database_type": kind,
        "description": {},
        "ip_version": (U16, version),
        "languages": ["en"],
        "node_count": (U32, len(nodes)),
        "record_size": (U16, 24),
    }
    return tree + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + field(metadata)


TOWN = {
    "city": {"names": {"de": "Stadt", "en": "Town"}},
    "country": {"iso_code": "US"},
    "location": {"latitude": 34.0522, "longitude": -118.2437},
    "subdivisions": [{"iso_code": "CA"}, {"iso_code": "XX"}],
}
LAND = {"country": {"iso_code": "CN"}}
TINY = {"location": {"latitude": 0.0000001, "longitude": 100.0}, "city": {"names": {"de": "Dorf"}}}
ODD = {"country": {"iso_code": ["CN"]}}
NETWORKS = [("127.0.0.1/32", TOWN), ("127.0.0.2/32", LAND), ("127.0.0.3/32", TINY), ("127.0.0.5/32", ODD)]

for name, kind, version, networks in [
    ("city", "GeoIP2-City", 6, NETWORKS + [("2001:db8::/32", LAND)]),
    ("city_v4", "GeoLite2-City", 4, NETWORKS),
    ("country", "GeoLite2-Country", 6, [("127.0.0.1/32", LAND)]),
    ("asn", "GeoLite2-ASN", 6, [("127.0.0.1/32", {"autonomous_system_number": (U32, 1)})]),
    ("unknown", "Own-Type", 6, NETWORKS),
]:
    with open(f"{name}.mmdb", "wb") as out:
        out.write(database(kind, version, networks))

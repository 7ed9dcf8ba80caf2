#!/usr/bin/env python3
"""HID devices by /dev/uhid, told what to do in JSON lines: create, destroy, report. Prints what they told.

The relay board is the common 16c0:05df "USBRelay2". Its 8-byte feature report, written: FF n on, FD n off, FE all on,
FC all off. Read: 5 characters of serial number, 2 bytes, the relays' state. Its relays stay as they are while it is out.
"""
import json
import os
import selectors
import struct
import sys

DESTROY, START, OUTPUT, GET_REPORT, GET_REPORT_REPLY = 1, 2, 6, 9, 10
CREATE2, INPUT2, SET_REPORT, SET_REPORT_REPLY = 11, 12, 13, 14
EVENT_BYTES = 4380
BUS_USB = 3

# Vendor page, no report ids: 8-byte input and output reports; one 8-byte feature report; input and feature; 32-byte input.
RAW = bytes.fromhex("0600ff0901a101" "150026ff0075089508" "09018102" "09029102" "c0")
RELAY = bytes.fromhex("0600ff0901a101" "150026ff0075089508" "0900b20201" "c0")
STORE = bytes.fromhex("0600ff0901a101" "150026ff0075089508" "09018102" "0900b20201" "c0")
TEXT = bytes.fromhex("0600ff0901a101" "150026ff0075089520" "09018102" "c0")
KINDS = {"raw": (0x0C27, 0x3BFA, "RIG raw reader", RAW), "relay": (0x16C0, 0x05DF, "USBRelay2", RELAY),
         "store": (0x0C27, 0x3BFB, "RIG store", STORE), "text": (0x0C27, 0x3BFC, "RIG text reader", TEXT)}
BOARD_SERIAL = b"RIGRL"


def tell(told, device, **facts):
    print(json.dumps({"told": told, "id": device, **facts}), flush=True)


class Device:
    def __init__(self, name, kind, state):
        vendor, product, title, descriptor = KINDS[kind]
        self.name, self.kind, self.state, self.stored = name, kind, state, bytes(8)
        self.fd = os.open("/dev/uhid", os.O_RDWR | os.O_NONBLOCK)
        self.send(CREATE2, struct.pack("<128s64s64sHHIIII4096s", title.encode(), name.encode(), BOARD_SERIAL,
                                       len(descriptor), BUS_USB, vendor, product, 0x0100, 0, descriptor))

    def send(self, kind, payload):
        os.write(self.fd, struct.pack("<I", kind) + payload)

    def report(self, data):
        self.send(INPUT2, struct.pack("<H", len(data)) + data)

    def destroy(self):
        self.send(DESTROY, b"")
        os.close(self.fd)
        tell("destroyed", self.name)

    def handle(self):
        event = os.read(self.fd, EVENT_BYTES)
        kind, = struct.unpack_from("<I", event)
        if kind == START:
            tell("created", self.name)
        elif kind == GET_REPORT:
            request, = struct.unpack_from("<I", event, 4)
            # hidraw wants the report's id, 0, before the 8 bytes.
            told = BOARD_SERIAL + bytes([0, 0, self.state]) if self.kind == "relay" else self.stored
            data = b"\0" + told
            self.send(GET_REPORT_REPLY, struct.pack("<IHH", request, 0, len(data)) + data)
        elif kind == SET_REPORT:
            request, _, _, size = struct.unpack_from("<IBBH", event, 4)
            data = event[12:12 + size]
            self.take(data[1:] if len(data) == 9 else data)
            self.send(SET_REPORT_REPLY, struct.pack("<IH", request, 0))

    def take(self, data):
        if self.kind != "relay":
            self.stored = data
            return
        bit = 1 << (data[1] - 1) if data[1] else 0
        self.state = {0xFF: self.state | bit, 0xFD: self.state & ~bit, 0xFE: 0xFF, 0xFC: 0}.get(data[0], self.state)
        tell("relay", self.name, state=self.state)


def main():
    if not os.path.exists("/dev/uhid"):
        os.system("modprobe uhid")
    devices, waiting, text, left = {}, selectors.DefaultSelector(), b"", {}
    waiting.register(0, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            if key.data is not None:
                if key.data.name in devices:
                    key.data.handle()
                continue
            chunk = os.read(0, 65536)
            if not chunk:
                for device in devices.values():
                    device.destroy()
                return
            *lines, text = (text + chunk).split(b"\n")
            for command in map(json.loads, lines):
                name = command["id"]
                if command["do"] == "create":
                    device = devices[name] = Device(name, command["kind"], left.get(name, 0))
                    waiting.register(device.fd, selectors.EVENT_READ, device)
                elif command["do"] == "report":
                    devices[name].report(bytes.fromhex(command["hex"]))
                else:
                    device = devices.pop(name)
                    left[name] = device.state
                    waiting.unregister(device.fd)
                    device.destroy()


if __name__ == "__main__":
    sys.exit(main())

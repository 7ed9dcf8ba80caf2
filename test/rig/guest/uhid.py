#!/usr/bin/env python3
"""HID devices by /dev/uhid, told what to do in JSON lines: create, destroy, report. Prints what they told.

The relay board is the common 16c0:05df "USBRelay2". Its 8-byte feature report, written: FF n on, FD n off, FE all on,
FC all off. Read: 5 characters of serial number, 2 bytes, the relays' state.
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

# Vendor page: 8-byte input and output reports; and one 8-byte feature report. Neither has report ids.
RAW = bytes.fromhex("0600ff0901a101" "150026ff0075089508" "09018102" "09029102" "c0")
RELAY = bytes.fromhex("0600ff0901a101" "150026ff0075089508" "0900b20201" "c0")
KINDS = {"raw": (0x0C27, 0x3BFA, "RIG raw reader", "RIGRD", RAW), "relay": (0x16C0, 0x05DF, "USBRelay2", "RIGRL", RELAY)}


def tell(told, device, **facts):
    print(json.dumps({"told": told, "id": device, **facts}), flush=True)


class Device:
    def __init__(self, name, kind):
        vendor, product, title, self.serial, descriptor = KINDS[kind]
        self.name, self.state = name, 0
        self.fd = os.open("/dev/uhid", os.O_RDWR | os.O_NONBLOCK)
        self.send(CREATE2, struct.pack("<128s64s64sHHIIII4096s", title.encode(), name.encode(), self.serial.encode(),
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
            data = b"\0" + self.serial.encode() + bytes([0, 0, self.state])
            self.send(GET_REPORT_REPLY, struct.pack("<IHH", request, 0, len(data)) + data)
        elif kind == SET_REPORT:
            request, _, _, size = struct.unpack_from("<IBBH", event, 4)
            data = event[12:12 + size]
            self.switch(data[1:] if len(data) == 9 else data)
            self.send(SET_REPORT_REPLY, struct.pack("<IH", request, 0))

    def switch(self, data):
        bit = 1 << (data[1] - 1) if data[1] else 0
        self.state = {0xFF: self.state | bit, 0xFD: self.state & ~bit, 0xFE: 0xFF, 0xFC: 0}.get(data[0], self.state)
        tell("relay", self.name, state=self.state)


def main():
    if not os.path.exists("/dev/uhid"):
        os.system("modprobe uhid")
    devices, waiting, text = {}, selectors.DefaultSelector(), b""
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
                    device = devices[name] = Device(name, command["kind"])
                    waiting.register(device.fd, selectors.EVENT_READ, device)
                elif command["do"] == "report":
                    devices[name].report(bytes.fromhex(command["hex"]))
                else:
                    device = devices.pop(name)
                    waiting.unregister(device.fd)
                    device.destroy()


if __name__ == "__main__":
    sys.exit(main())

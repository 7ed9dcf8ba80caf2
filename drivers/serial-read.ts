/**
 * How a serial port is read on Linux. The package reads through the process's four disk threads, which costs a tap more than
 * all that we do with it, and reads for ever, without a word, from a line that was hung up between two reads. Here the
 * line is read at once when the kernel says that there is something, and the end of a file is the end of the line.
 */
import { readSync } from "node:fs";

/** What is used of the package's binding on Linux and macOS. */
interface PolledBinding {
  fd: number | null;
  poller: { once(event: "readable", done: (error: Error | null) => void): unknown };
  read(buffer: Buffer, offset: number, length: number): Promise<{ bytesRead: number; buffer: Buffer }>;
}

/** Changes the way an open port is read, where its binding is of the kind that can be polled. */
export function readWhenReadable(binding: object): void {
  if (!isPolled(binding)) return;
  binding.read = async (buffer, offset, length) => {
    for (;;) {
      // First of all, so that a line that never falls silent still lets the loop turn between two reads.
      await readable(binding);
      const bytesRead = readNow(binding.fd, buffer, offset, length);
      if (bytesRead !== null) return { bytesRead, buffer };
    }
  };
}

function isPolled(binding: object): binding is PolledBinding {
  return "poller" in binding && "fd" in binding;
}

/** Rejects, as the package does it, when the port is closed meanwhile. */
function readable({ poller }: PolledBinding): Promise<void> {
  return new Promise((resolve, reject) => {
    poller.once("readable", (error) => (error === null ? resolve() : reject(error)));
  });
}

/** Null when there was nothing after all. The file is open without waiting, so this does not either. */
function readNow(fd: number | null, buffer: Buffer, offset: number, length: number): number | null {
  if (fd === null) throw Object.assign(new Error("the port is closed"), { canceled: true });
  try {
    const bytesRead = readSync(fd, buffer, offset, length, null);
    if (bytesRead === 0) throw new Error("the line was hung up");
    return bytesRead;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EAGAIN" || code === "EINTR") return null;
    throw error;
  }
}

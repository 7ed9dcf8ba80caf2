/** The service manager's end of its socket: systemd itself is not needed to hear what it would hear. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Node has no datagram sockets in the file system. */
const LISTENER = `
import json, socket, sys
ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ear.bind(sys.argv[1])
print(json.dumps("ready"), flush=True)
while True:
    print(json.dumps(ear.recv(4096).decode()), flush=True)
`;

export interface NotifySocket {
  path: string;
  /** Each message as it came, in order. */
  heard: string[];
  dispose(): Promise<void>;
}

export async function startNotifySocket(): Promise<NotifySocket> {
  const dir = await mkdtemp(join(tmpdir(), "grindvakt-notify-"));
  const path = join(dir, "notify");
  const python = spawn("python3", ["-c", LISTENER, path], { stdio: ["ignore", "pipe", "inherit"] });
  const heard: string[] = [];
  const lines = createInterface({ input: python.stdout });
  const ready = once(lines, "line");
  lines.on("line", (line) => heard.push(JSON.parse(line) as string));
  await ready;
  heard.length = 0;
  return {
    path,
    heard,
    dispose: async () => {
      python.kill("SIGKILL");
      await once(python, "close");
      await rm(dir, { recursive: true, force: true });
    },
  };
}

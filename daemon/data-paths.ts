/** Where everything lies in `dataDir`: for the gate, and for commands that work while it runs or stands still. */
import { join } from "node:path";

export function pathsOf(dataDir: string) {
  return {
    journal: join(dataDir, "journal"),
    cursor: join(dataDir, "outbox.json"),
    cards: join(dataDir, "cards"),
    siteList: join(dataDir, "site-list.json"),
    commandIds: join(dataDir, "command-ids.json"),
    announced: join(dataDir, "announced.json"),
    tokenKey: join(dataDir, "token.key"),
    control: join(dataDir, "control.sock"),
  };
}

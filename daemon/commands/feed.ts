/** The central side on the command line: CONTRACT 2, `feed`. */
import { Command } from "commander";
import { STATUSES, type Status } from "../../sync/card.ts";
import { withBroker, withNotify } from "./feed-broker.ts";
import { type GatesOptions, gates } from "./feed-gates.ts";
import { correct, keys, type RotateOptions, rotate } from "./feed-keys.ts";
import { type InitOptions, init, refresh, verify } from "./feed-life.ts";
import { type PublishOptions, publish, type SetOptions, set } from "./feed-list.ts";
import {
  act,
  cardNumber,
  cardStatus,
  collect,
  feedName,
  keyCount,
  keyRole,
  lastDay,
  type PlaceOptions,
} from "./feed-words.ts";
import { wholeNumber } from "./terms.ts";

export function feedCommand(): Command {
  const feed = new Command("feed").description(
    "the central side: make, fill, renew and check a feed of cards",
  );
  withPlace(feed.command("init"), "make the keys and a feed without a list")
    .option("--name <name>", "what its announcements are called (default: the directory's name)", feedName)
    .option("--root-threshold <count>", "so many of the root's keys must sign", keyCount, 1)
    .option("--root-signers <count>", "so many keys it gets (default: as many as must sign)", keyCount)
    .action((dir: string, options: InitOptions) => act(() => init(dir, options)));
  withNotify(withPlace(feed.command("publish"), "publish the whole list that a CSV holds"))
    .requiredOption("--cards <file>", "the CSV: number,status,valid_until,tokens")
    .option("--allow-change <count>", "so many cards may vanish or end", wholeNumber, 0)
    .option("--dry-run", "say what would change, and write nothing")
    .action((dir: string, options: PublishOptions) => act(() => publish(dir, options)));
  withNotify(withPlace(feed.command("set"), "set one card's status"))
    .argument("<card>", "the card number", cardNumber)
    .argument("<status>", `${STATUSES.join(", ")}, or removed`, cardStatus)
    .option("--valid-until <day>", "its last day, YYYY-MM-DD, or none", lastDay)
    .action((dir: string, card: string, status: Status | "removed", options: SetOptions) =>
      act(() => set(dir, card, status, options)),
    );
  withNotify(withPlace(feed.command("correct"), "undo a wrong end; needs the root's keys"))
    .argument("<card>", "the card number", cardNumber)
    .argument("<status>", `${STATUSES.join(", ")}, or removed`, cardStatus)
    .option("--valid-until <day>", "its last day, YYYY-MM-DD, or none", lastDay)
    .action((dir: string, card: string, status: Status | "removed", options: SetOptions) =>
      act(() => correct(dir, card, status, options)),
    );
  withNotify(withPlace(feed.command("refresh"), "renew what expires: belongs in a timer, once a day")).action(
    (dir: string, options) => act(() => refresh(dir, options)),
  );
  feed
    .command("verify")
    .description("check a feed as a gateway would, and read every list")
    .argument("<dir>", "the feed's directory")
    .option("--json", "facts for a program")
    .action((dir: string, options) => act(() => verify(dir, options)));
  withPlace(feed.command("keys"), "which keys count, and where they are").action(
    (dir: string, options: PlaceOptions) => act(() => keys(dir, options)),
  );
  withPlace(feed.command("rotate"), "replace a key; needs the root's keys")
    .requiredOption("--role <role>", "root, targets, snapshot or timestamp", keyRole)
    .option("--replace <id>", "the beginning of the old key's id, where the role has several")
    .action((dir: string, options: RotateOptions) => act(() => rotate(dir, options)));
  withBroker(feed.command("gates"))
    .description("which gateways lag behind, from what they have left at the broker; exit 1 when some do")
    .requiredOption("--broker <url>", "mqtt://… or mqtts://…")
    .option("--name <name>", "the feed they follow, where several are announced there", feedName)
    .option("--all", "show those that do not lag, too")
    .option("--json", "facts for a program")
    .action((options: GatesOptions) => act(() => gates(options)));
  return feed;
}

function withPlace(command: Command, description: string): Command {
  return command
    .description(description)
    .argument("<dir>", "the feed's directory")
    .option("--keys <dir>", "where its keys are (default: <dir>.keys)")
    .option(
      "--root-keys <dir>",
      "where the root's keys are, when they are kept apart; may be given several times",
      collect,
    )
    .option("--passphrase-file <file>", "opens the keys; else GRINDVAKT_FEED_PASSPHRASE")
    .option("--json", "facts for a program");
}

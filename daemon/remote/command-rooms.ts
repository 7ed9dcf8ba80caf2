/** Joins the desk of commands to the rooms that it needs. */
import type { Sight } from "../../drivers/driver.ts";
import type { Clock, Files, Log } from "../../drivers/ports.ts";
import type { Candidate } from "../answers/identify.ts";
import type { CommandReader } from "../broker/command.ts";
import type { Outbox } from "../broker/outbox.ts";
import type { Post } from "../broker/post.ts";
import type { Devices } from "../gate/devices.ts";
import type { Gateway } from "../gate/gateway.ts";
import { CommandDeeds, type DeedRooms } from "./command-deeds.ts";
import { CommandDesk, type CommandSettings } from "./command-desk.ts";

export interface CommandPorts {
  clock: Clock;
  files: Files;
  log: Log;
  /** Null: no command is taken. */
  commandReader: CommandReader | null;
  /** Every way to read what a reader showed. */
  candidatesOf(sight: Sight): readonly Candidate[];
}

export interface CommandHouse
  extends Pick<DeedRooms, "refresh" | "list" | "changeSiteList" | "desk" | "hashToken"> {
  gateway: Gateway;
  outbox: Outbox;
  devices: Devices;
  post: Post;
  /** A state has changed. */
  changed(): void;
}

/** Null where no command is taken. */
export function createCommandDesk(
  settings: CommandSettings,
  ports: CommandPorts,
  house: CommandHouse,
): CommandDesk | null {
  const { commandReader: reader, clock, candidatesOf } = ports;
  if (reader === null || settings.names.length === 0) return null;
  const { gateway, outbox, devices, post } = house;
  const deeds = new CommandDeeds({
    ...house,
    clock,
    candidatesOf,
    turnstileOf: (accessPoint) => gateway.turnstileOf(accessPoint),
    resend: (fromSeq, toSeq) => outbox.resend(fromSeq, toSeq),
    hasReader: (reader) => devices.reader(reader) !== undefined,
    watch: (reader, observer) => devices.watch(reader, observer),
  });
  return new CommandDesk(
    settings,
    ports,
    { reader, deeds },
    {
      note: (event, data) => gateway.note(event, data),
      post: (message) => void post.send(message),
      changed: house.changed,
    },
  );
}

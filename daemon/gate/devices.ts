/** Every device of a gate, made by the ports, started in the order a gate needs and stopped so that nobody is let in any more. */
import type {
  Input,
  InputEvents,
  Observer,
  Reader,
  ReaderEvents,
  Relay,
  RelayEvents,
} from "../../drivers/driver.ts";
import type { InputUse } from "./contacts.ts";
import type { AccessPointSettings, Gateway } from "./gateway.ts";
import { Sights } from "./sights.ts";

export interface DevicePorts {
  createReader(id: string, events: ReaderEvents): Promise<Reader>;
  createRelay(accessPoint: string, events: RelayEvents): Promise<Relay>;
  createInput(accessPoint: string, use: InputUse, events: InputEvents): Promise<Input>;
}

export class Devices {
  readonly relays = new Map<string, Relay>();
  readonly #readers = new Map<string, Reader>();
  readonly #inputs: Input[] = [];
  readonly #sights = new Sights(this.#readers);

  /** Makes them, and hands them to the gateway. Rejects when a driver's own packages cannot be loaded. */
  async create(
    accessPoints: readonly AccessPointSettings[],
    ports: DevicePorts,
    gateway: Gateway,
  ): Promise<void> {
    for (const { id, readers, pulseMs, inputs } of accessPoints) {
      for (const reader of readers) {
        this.#readers.set(reader, await ports.createReader(reader, gateway.readerEvents(reader)));
      }
      for (const use of Object.keys(inputs) as InputUse[]) {
        this.#inputs.push(await ports.createInput(id, use, gateway.inputEvents(id, use)));
      }
      if (pulseMs !== null) this.relays.set(id, await ports.createRelay(id, gateway.relayEvents(id)));
    }
    gateway.attach({ readers: this.#readers, relays: this.relays });
  }

  /** Whatever a crash left energised is released before anything else moves. */
  async startRelays(): Promise<void> {
    await Promise.all([...this.relays.values()].map((relay) => relay.start()));
  }

  /** Contacts first: a person let in a moment later must not pass unseen. */
  async startReaders(): Promise<void> {
    await Promise.all(this.#inputs.map((input) => input.start()));
    await Promise.all([...this.#readers.values()].map((reader) => reader.start()));
  }

  /**
   * Safe at any time; resolves when every relay is released. All at once, readers first: none takes a card from now on, and no relay
   * waits for a reader that takes its time to go.
   */
  async stop(): Promise<void> {
    const all = [...this.#readers.values(), ...this.#inputs, ...this.relays.values()];
    await Promise.all(all.map((device) => device.stop()));
  }

  reader(id: string): Reader | undefined {
    return this.#readers.get(id);
  }

  /** Presents a credential at a virtual reader; a refusal in words, or null when it was taken. */
  present(reader: string, credential: string): string | null {
    const device = this.#readers.get(reader);
    if (device === undefined) return `there is no reader ${reader}`;
    if (device.present === undefined) return `${reader} is no virtual reader`;
    return device.present(credential) ? null : `${reader} is not up`;
  }

  /** Shows `observer` everything of a reader until the returned function is called. Throws, in words, what it cannot. */
  watch(reader: string, observer: Observer): () => void {
    return this.#sights.watch(reader, observer);
  }
}

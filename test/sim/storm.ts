import { CLEAN_LINE } from "./line.ts";
import type { SimRandom } from "./random.ts";
import type { SimWorld } from "./world.ts";

/**
 * Kinds of trouble. `broker`: gone, reset, slow, forgetful. `slow-disk`: syncs stall for seconds. `failing-disk`: writes
 * and syncs fail, or it is full. `reader`, `input`: unplugged. `line`: unplugged, or its bytes come wrong, twice or not at
 * all. `relay`: gone, deaf or stuck. `feed`: fails, or lies. `wall`: the wall clock jumps.
 */
export const TROUBLES = [
  "broker",
  "slow-disk",
  "failing-disk",
  "reader",
  "input",
  "line",
  "relay",
  "feed",
  "wall",
] as const;
export type Trouble = (typeof TROUBLES)[number];

const WALL_JUMP_MS_MAX = 48 * 3_600_000;

/** Brings one trouble, chosen in its details by chance, and returns how it ends. */
export function bring(trouble: Trouble, world: SimWorld, random: SimRandom): () => void {
  switch (trouble) {
    case "broker":
      return brokerTrouble(world, random);
    case "slow-disk": {
      const chance = random.fraction();
      world.stallOf = () => (random.chance(chance) ? random.between(100, 4_000) : 0);
      return () => {
        world.stallOf = () => 0;
      };
    }
    case "failing-disk": {
      const isFull = random.chance(0.5);
      const chance = random.fraction();
      world.diskFaultOf = ({ kind }) => {
        if (isFull) return kind === "write" ? "ENOSPC" : null;
        return (kind === "sync" || kind === "write") && random.chance(chance) ? "EIO" : null;
      };
      return () => {
        world.diskFaultOf = () => null;
      };
    }
    case "reader": {
      if (world.readers.size === 0) return () => undefined;
      const reader = random.pick([...world.readers.values()]);
      reader.unplug();
      return () => reader.plug();
    }
    case "input": {
      if (world.inputs.size === 0) return () => undefined;
      const input = random.pick([...world.inputs.values()]);
      input.unplug();
      return () => input.plug();
    }
    case "relay": {
      if (world.relays.size === 0) return () => undefined;
      const relay = random.pick([...world.relays.values()]);
      const health = random.pick(["gone", "deaf", "stuck"] as const);
      if (health === "gone") relay.unplug();
      else relay.health = health;
      return () => relay.plug();
    }
    case "line":
      return lineTrouble(world, random);
    case "feed":
      return feedTrouble(world, random);
    case "wall":
      world.machine?.clock.jumpWall(random.between(-WALL_JUMP_MS_MAX, WALL_JUMP_MS_MAX));
      return () => undefined;
  }
}

function brokerTrouble(world: SimWorld, random: SimRandom): () => void {
  const broker = world.broker;
  const { thinkMs } = broker;
  const way = random.pick(["gone", "reset", "slow", "forgetful"] as const);
  if (way === "gone") broker.goDown();
  else if (way === "reset") broker.drop();
  else if (way === "slow") broker.thinkMs = [0, random.between(500, 12_000)];
  else {
    broker.loseAcknowledgementChance = random.fraction() / 2;
    broker.loseMessageChance = random.fraction() / 4;
    broker.duplicateChance = random.fraction() / 4;
  }
  return () => {
    broker.thinkMs = thinkMs;
    broker.loseAcknowledgementChance = 0;
    broker.loseMessageChance = 0;
    broker.duplicateChance = 0;
    if (broker.whyDown !== null) broker.comeUp();
  };
}

function lineTrouble({ lines }: SimWorld, random: SimRandom): () => void {
  if (lines.size === 0) return () => undefined;
  const line = random.pick([...lines.values()]);
  if (random.chance(0.4)) line.unplug();
  else {
    const share = (): number => (random.chance(0.5) ? random.fraction() / 2 : 0);
    line.damage = { flip: share(), repeat: share(), lose: share(), noise: share() };
  }
  return () => {
    line.damage = CLEAN_LINE;
    line.plug();
  };
}

/**
 * `noisy`: each transfer fails by itself. The others are lies of whoever stands between: `old`, an earlier feed, whole; `mixed`, an
 * earlier one under the newest timestamp; `forged`, metadata that nobody signed so.
 */
function feedTrouble({ feed }: SimWorld, random: SimRandom): () => void {
  const way = random.pick(["noisy", "old", "mixed", "forged"] as const);
  const old = feed.past.length === 0 ? feed.files : random.pick(feed.past);
  if (way === "noisy") feed.faultOf = () => random.pick(FEED_FAULTS);
  else if (way === "old") feed.serve = (path) => old.get(path);
  else if (way === "mixed")
    feed.serve = (path) => (path === "timestamp.json" ? feed.files.get(path) : old.get(path));
  else feed.serve = (path) => forged(path, feed.files.get(path));
  return () => {
    feed.faultOf = () => null;
    feed.serve = (path) => feed.files.get(path);
  };
}

const FEED_FAULTS = [
  null,
  "missing",
  "unreachable",
  "broken",
  "flipped",
  "truncated",
  "endless",
  "stalled",
] as const;

/** Each document says that it is newer than it is, under the signature that it had. */
function forged(path: string, bytes: Uint8Array | undefined): Uint8Array | undefined {
  if (bytes === undefined || !path.endsWith(".json")) return bytes;
  const text = Buffer.from(bytes).toString();
  return Buffer.from(text.replaceAll(/"version": *[0-9]+/g, '"version":1000000'));
}

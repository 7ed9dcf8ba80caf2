/** Boots the one machine that all rig tests share. */
import { dirname } from "node:path";
import type { TestProject } from "vitest/node";
import type { Place } from "./guest.ts";
import { bootMachine } from "./machine.ts";

declare module "vitest" {
  interface ProvidedContext {
    place: Place;
    short: boolean;
    cuts: number;
    minutes: number;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const image = process.env.RIG_IMAGE;
  if (image === undefined) throw new Error("the rig is started by: npm run test:rig");
  const startMs = performance.now();
  const machine = await bootMachine(image, dirname(image));
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(0);
  console.log(`rig: the guest took commands after ${seconds} s (${machine.place.accelerator})`);
  project.provide("place", machine.place);
  project.provide("short", process.env.RIG_SHORT === "1");
  project.provide("cuts", Number(process.env.RIG_CUTS ?? 200));
  project.provide("minutes", Number(process.env.RIG_MINUTES ?? 60));
  return machine.dispose;
}

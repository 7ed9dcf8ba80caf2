/** What the devices of a configuration are told of it, besides their own keys. */
import { expect, it } from "vitest";
import { devicesOf } from "../../daemon/main-devices.ts";
import { ReaderListener } from "../conformance/reader.ts";
import { simulatedWorld } from "../conformance/world.ts";
import { load, MINIMAL } from "./config-site.ts";

it("readers take the cards of the site's issuers, and no others", async () => {
  const { configuration } = load(MINIMAL.replace("root: root.json", "root: root.json, issuers: [AA, CC]"));
  const heard = new ReaderListener();
  const { createReader } = await devicesOf(configuration, simulatedWorld());
  const reader = await createReader("in", heard);
  await reader.start();
  heard.speaking = true;
  for (const number of ["AA-1234-567890", "BB-1234-567890", "CC-1234-567890"]) reader.present?.(number);
  await reader.stop();
  expect(heard.told.map(({ reading }) => reading)).toMatchObject([
    { credential: { number: "AA-1234-567890" } },
    { kind: "misread", reason: "malformed" },
    { credential: { number: "CC-1234-567890" } },
  ]);
});

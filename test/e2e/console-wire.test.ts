/** What the running program answers is what `docs/openapi.yaml` says, route by route, over the wire. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Demo, startDemo } from "../peers/demo.ts";
import { readMessages } from "./console-house.ts";
import { faultsOf, operations, readAnswer } from "./openapi-document.ts";

let demo: Demo;
const left = new Set(operations);

beforeAll(async () => {
  demo = await startDemo();
  for (const { card } of demo.cards) await demo.tap(card);
});

afterAll(() => demo?.stop());

/** What it answers, once it has been held against the document. */
async function ask(operation: string, status: number, path: string, body?: object): Promise<unknown> {
  left.delete(operation);
  const response = await fetch(demo.consoleUrl + path, {
    method: operation.split(" ")[0]!,
    headers: {
      authorization: `Basic ${Buffer.from(`Alva:${demo.password}`).toString("base64")}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = await readAnswer(operation, response);
  expect([operation, response.status, answer.faults]).toEqual([operation, status, []]);
  return answer.body;
}

const cardOf = (reason: string): string => demo.cards.find((one) => one.reason === reason)!.card;

test("what a person does", async () => {
  const card = cardOf("granted");
  const blocks = "POST /api/site-blocks";
  await ask(blocks, 200, "/api/site-blocks", { card, do: "block", until: "2099-12-24", why: "lost" });
  await ask(blocks, 422, "/api/site-blocks", { card, do: "block", until: "1999-12-24" });
  await ask(blocks, 422, "/api/site-blocks", { card: cardOf("blocked"), do: "disallow" });
  await ask("POST /api/openings", 202, "/api/openings", { accessPoint: "north-in", why: "delivery" });
  await ask("POST /api/openings", 422, "/api/openings", { accessPoint: "nowhere" });
  const late = { card: cardOf("blocked"), do: "enter", why: "forgot her card" };
  await ask("POST /api/presence", 200, "/api/presence", late);
  await ask("POST /api/presence", 422, "/api/presence", { ...late, when: "2099-11-22T06:58:00+01:00" });
  await ask("POST /api/refresh", 200, "/api/refresh", {});
  await ask("POST /api/taps", 422, "/api/taps", { reader: "north-in-1", credential: card });
  await ask("POST /api/session", 200, "/api/session", { name: "Alva", password: demo.password });
  await ask("POST /api/session", 403, "/api/session", { name: "Alva", password: "wrong" });
  await ask("DELETE /api/session", 200, "/api/session");
});

test("what is shown, with all that has happened", async () => {
  const card = encodeURIComponent(cardOf("granted"));
  const page = (await ask("GET /", 200, "/")) as string;
  await ask("GET /page/{file}", 200, /\/page\/\w+\.js/.exec(page)![0]);
  await ask("GET /healthz", 200, "/healthz");
  await ask("GET /metrics", 200, "/metrics");
  await ask("GET /api/status", 200, "/api/status");
  const { taps } = (await ask("GET /api/taps", 200, "/api/taps")) as { taps: { data: { seq: number } }[] };
  expect(taps.length).toBe(demo.cards.length);
  await ask("GET /api/taps", 200, "/api/taps?reason=blocked&accessPoint=north-in");
  await ask("GET /api/cards/{card}", 200, `/api/cards/${card}`);
  await ask("GET /api/cards/{card}", 200, "/api/cards/nobody");
  await ask("GET /api/cards/{card}/story", 200, `/api/cards/${card}/story`);
  await ask("GET /api/cards/{card}/story", 404, "/api/cards/nobody/story");
  await ask("GET /api/session", 200, "/api/session");
  await ask("GET /api/site", 200, "/api/site");
  await ask("GET /api/site-blocks", 200, "/api/site-blocks");
  await ask("GET /api/history", 200, "/api/history");
  await ask("GET /api/presence", 200, "/api/presence");
  await ask("GET /api/identify/{reader}", 422, "/api/identify/nobody");
});

test("what is told as it happens", async () => {
  left.delete("GET /api/events");
  const page = new AbortController();
  const messages = readMessages(await fetch(`${demo.consoleUrl}/api/events`, { signal: page.signal }));
  const schemas: Record<string, string> = { status: "Status", tap: "LiveTap" };
  const seen = new Set<string>();
  // One that has not been there: the same card again would be the same tap.
  const tapping = demo.tap("BB-2611-009999");
  while (seen.size < 2) {
    const { event, data } = (await messages.next()).value!;
    expect([event, faultsOf(data, `/components/schemas/${schemas[event]}`)]).toEqual([event, []]);
    seen.add(event);
  }
  await tapping;
  page.abort();
});

test("no route was left out", () => {
  expect([...left]).toEqual([]);
});

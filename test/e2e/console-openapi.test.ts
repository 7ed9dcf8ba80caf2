/** `docs/openapi.yaml` and the running console say the same, in both directions. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLive } from "../../daemon/console/live.ts";
import { REFUSALS } from "../../daemon/console/refusals.ts";
import { createApp } from "../../daemon/console/routes.ts";
import { Sessions } from "../../daemon/console/sessions.ts";
import { sessionRoutes } from "../../daemon/console/sign-in.ts";
import { REASONS } from "../../daemon/gate/reasons.ts";
import { systemRandom } from "../../drivers/system.ts";
import { SimClock } from "../sim/clock.ts";
import {
  basic,
  CARD,
  type House,
  IDENTIFIED,
  type Message,
  makeRooms,
  openHouse,
  pageOnDisk,
  readMessages,
  recordingLog,
  TOKEN,
  tapView,
  wellStatus,
} from "./console-house.ts";
import { answersOf, document, faultsOf, operations, readAnswer } from "./openapi-document.ts";

const JSON_HEADERS = { "content-type": "application/json" };
const TAP = { reader: "office", credential: CARD };

interface Example {
  operation: string;
  status: number;
  path: string;
  init?: RequestInit;
  ailing?: boolean;
}

function posted(
  status: number,
  body: RequestInit["body"],
  headers: Record<string, string> = JSON_HEADERS,
  path = "/api/taps",
): Example {
  const init = { method: "POST", body: body ?? null, headers, duplex: "half" } as RequestInit;
  return { operation: `POST ${path}`, status, path, init };
}

const PERSON = basic("right");
const PERSON_JSON = { ...JSON_HEADERS, ...PERSON };
const BLOCK = { card: CARD, do: "block", until: "2026-12-24", why: "lost" };
const sessions = (status: number, body: object) =>
  posted(status, JSON.stringify(body), JSON_HEADERS, "/api/session");
const blocks = (status: number, body: object, headers: Record<string, string> = PERSON_JSON) =>
  posted(status, JSON.stringify(body), headers, "/api/site-blocks");

const openings = (status: number, body: object, headers: Record<string, string> = PERSON_JSON) =>
  posted(status, JSON.stringify(body), headers, "/api/openings");

const LATE = { card: CARD, do: "enter", why: "forgot her card" };
const presence = (status: number, body: object, headers: Record<string, string> = PERSON_JSON) =>
  posted(status, JSON.stringify(body), headers, "/api/presence");

const EXAMPLES: Example[] = [
  { operation: "GET /", status: 200, path: "/" },
  { operation: "GET /page/{file}", status: 200, path: "/page/style.css" },
  { operation: "GET /page/{file}", status: 404, path: "/page/none.css" },
  { operation: "GET /healthz", status: 200, path: "/healthz" },
  { operation: "GET /healthz", status: 503, path: "/healthz", ailing: true },
  { operation: "GET /metrics", status: 200, path: "/metrics" },
  { operation: "GET /api/status", status: 200, path: "/api/status" },
  { operation: "GET /api/status", status: 200, path: "/api/status", ailing: true },
  { operation: "GET /api/taps", status: 200, path: "/api/taps" },
  { operation: "GET /api/taps", status: 200, path: "/api/taps?limit=500&before=50" },
  { operation: "GET /api/taps", status: 200, path: "/api/taps", init: { headers: basic("right") } },
  { operation: "GET /api/taps", status: 400, path: "/api/taps?limit=none" },
  { operation: "GET /api/taps", status: 200, path: "/api/taps?reason=granted&card=567890" },
  { operation: "GET /api/taps", status: 400, path: "/api/taps?reason=whim" },
  { operation: "GET /api/taps", status: 403, path: "/api/taps?card=1234567890" },
  posted(202, JSON.stringify(TAP)),
  posted(400, "{}"),
  posted(411, new Blob(["{}"]).stream()),
  posted(413, JSON.stringify({ ...TAP, credential: "B".repeat(5_000) })),
  posted(415, JSON.stringify(TAP), { "content-type": "text/plain" }),
  posted(422, JSON.stringify({ ...TAP, reader: "north-in-1" })),
  { operation: "GET /api/presence", status: 200, path: "/api/presence", init: { headers: basic("right") } },
  { operation: "GET /api/presence", status: 403, path: "/api/presence" },
  presence(200, { ...LATE, when: "2026-11-22T06:58:00+01:00" }),
  presence(400, { ...LATE, do: "stay" }),
  presence(403, LATE, JSON_HEADERS),
  presence(422, { ...LATE, accessPoint: "nowhere" }),
  { operation: "GET /api/cards/{card}", status: 200, path: `/api/cards/${CARD}` },
  { operation: "GET /api/cards/{card}", status: 200, path: `/api/cards/${encodeURIComponent(TOKEN)}` },
  { operation: "GET /api/cards/{card}", status: 200, path: "/api/cards/nobody" },
  { operation: "GET /api/cards/{card}", status: 400, path: `/api/cards/${"9".repeat(200)}` },
  { operation: "GET /api/cards/{card}", status: 404, path: "/api/cards/tap:99" },
  { operation: "GET /api/cards/{card}/story", status: 200, path: `/api/cards/${CARD}/story` },
  { operation: "GET /api/cards/{card}/story", status: 200, path: "/api/cards/tap:98/story" },
  { operation: "GET /api/cards/{card}/story", status: 400, path: `/api/cards/${"9".repeat(200)}/story` },
  { operation: "GET /api/cards/{card}/story", status: 404, path: "/api/cards/nobody/story" },
  { operation: "GET /api/session", status: 200, path: "/api/session" },
  { operation: "GET /api/session", status: 200, path: "/api/session", init: { headers: PERSON } },
  sessions(200, { name: "Alva", password: "right" }),
  sessions(400, { name: "Alva" }),
  sessions(403, { name: "Alva", password: "wrong" }),
  { operation: "DELETE /api/session", status: 200, path: "/api/session", init: { method: "DELETE" } },
  { operation: "GET /api/site", status: 200, path: "/api/site" },
  { operation: "GET /api/history", status: 200, path: "/api/history" },
  posted(200, "{}", JSON_HEADERS, "/api/refresh"),
  posted(400, '{"now": "yes"}', JSON_HEADERS, "/api/refresh"),
  blocks(200, BLOCK),
  blocks(400, { card: CARD }),
  blocks(403, BLOCK, JSON_HEADERS),
  blocks(422, { ...BLOCK, until: "1999-01-01" }),
  blocks(503, { ...BLOCK, why: "no disk" }),
  openings(202, { accessPoint: "north-in", why: "delivery" }),
  openings(400, { why: "delivery" }),
  openings(403, { accessPoint: "north-in" }, JSON_HEADERS),
  openings(422, { accessPoint: "nowhere" }),
  openings(503, { accessPoint: "north-in", why: "no disk" }),
  { operation: "GET /api/site-blocks", status: 200, path: "/api/site-blocks", init: { headers: PERSON } },
  { operation: "GET /api/site-blocks", status: 403, path: "/api/site-blocks" },
  { operation: "GET /api/identify/{reader}", status: 403, path: "/api/identify/north-in-1" },
  {
    operation: "GET /api/identify/{reader}",
    status: 422,
    path: "/api/identify/nobody",
    init: { headers: PERSON },
  },
];

let house: House;
let ailing = false;

beforeAll(async () => {
  house = await openHouse({ password: "right" }, { status: () => (ailing ? bareStatus() : wellStatus()) });
});

afterAll(() => house.stop());

/** A gateway that has just started, and has nothing yet. */
function bareStatus() {
  const status = wellStatus();
  const list = {
    revision: null,
    cards: 0,
    publishedAt: null,
    refreshedAt: null,
    freshness: "stale",
  } as const;
  const broker = { state: "none", url: null, protocol: null, why: null } as const;
  return { ...status, list, broker, readers: {}, accessPoints: [] };
}

test.each(EXAMPLES)("$operation answers $status as documented ($path)", async (example) => {
  ailing = example.ailing ?? false;
  const response = await fetch(house.url + example.path, example.init);
  expect(response.status).toBe(example.status);
  const { body, faults } = await readAnswer(example.operation, response);
  expect(faults).toEqual([]);
  // What a person may be refused at the page, it has words for.
  if ([403, 404, 422, 429].includes(response.status) && example.path.startsWith("/api/"))
    expect(REFUSALS).toContain(body.code);
});

test.each(operations)("%s documents what a stranger's page is told", async (operation) => {
  const [method, path] = operation.split(" ") as [string, string];
  expect(answersOf(operation).default).toEqual({
    $ref: "#/components/responses/Refused",
  });
  const response = await fetch(house.url + path, { method, headers: { origin: "https://evil.example" } });
  expect(response.status).toBe(403);
  expect(faultsOf(await response.json(), "/components/schemas/Fault")).toEqual([]);
});

test("events carry what is documented", async () => {
  ailing = false;
  const response = await fetch(`${house.url}/api/events`);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const messages = readMessages(response);
  for (let count = 0; count < 300; count += 1) house.tapped(tapView(count % 2 === 0 ? CARD : null));
  await house.clock.advance(50);
  const schemas: Record<string, string> = { status: "Status", tap: "LiveTap", missed: "Missed" };
  const seen = new Set<string>();
  while (!seen.has("missed")) {
    const { event, data } = (await messages.next()).value as Message;
    expect([event, faultsOf(data, `/components/schemas/${schemas[event]}`)]).toEqual([event, []]);
    seen.add(event);
  }
  expect([...seen]).toEqual(Object.keys(schemas));
  const streams = await Promise.all(Array.from({ length: 31 }, openStream));
  expect(streams.every(({ status }) => status === 200)).toBe(true);
  const refused = await openStream();
  expect([refused.status, faultsOf(await refused.json(), "/components/schemas/Fault")]).toEqual([503, []]);
});

/** On a slow machine a kept connection may be one that the server is about to close for idleness: then on another. */
function openStream(): Promise<Response> {
  const url = `${house.url}/api/events`;
  return fetch(url).catch((error: Error & { cause?: { code?: string } }) => {
    if (error.cause?.code !== "ECONNRESET") throw error;
    return fetch(url);
  });
}

test("what a reader is shown carries what is documented", async () => {
  const response = await fetch(`${house.url}/api/identify/north-in-1`, { headers: PERSON });
  expect(response.status).toBe(200);
  const messages = readMessages(response);
  for (const tell of house.identifying) tell(IDENTIFIED);
  const { event, data } = (await messages.next()).value as Message;
  expect([event, faultsOf(data, "/components/schemas/Identified")]).toEqual(["identified", []]);
  expect(JSON.stringify(data)).toContain("uid:04…F6 (7 bytes)");
  expect(JSON.stringify(data)).not.toContain("A1B2C3D4E5");
});

test("every documented status of every operation is tried", () => {
  const tried = new Set(EXAMPLES.map(({ operation, status }) => `${operation} ${status}`));
  tried.add("GET /api/events 200").add("GET /api/events 503").add("GET /api/identify/{reader} 200");
  // Without a body (304), without a password, and after too much: in the tests of access.
  tried.add("GET /page/{file} 304").add("POST /api/session 422").add("POST /api/session 429");
  tried.add("GET /api/cards/{card} 429").add("GET /api/cards/{card}/story 429").add("POST /api/openings 429");
  tried.add("POST /api/presence 429");
  const documented = operations.flatMap((operation) => {
    const statuses = Object.keys(answersOf(operation));
    return statuses.filter((status) => status !== "default").map((status) => `${operation} ${status}`);
  });
  expect([...tried].sort()).toEqual(documented.sort());
});

test("every route of the console is documented, and no other", async () => {
  const { rooms } = makeRooms();
  const clock = new SimClock();
  const page = await pageOnDisk();
  const log = recordingLog([]);
  const session = sessionRoutes({
    password: null,
    required: false,
    secure: false,
    cookie: () => "grindvakt",
    sessions: new Sessions({ clock, random: systemRandom }),
    page: page.signIn,
    log,
  });
  const app = createApp({ guards: [], session, page, live: createLive(clock, rooms.status), log }, rooms);
  const routes = app.routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}").replace(/(.)\/$/, "$1")}`);
  expect([...new Set(routes)].sort()).toEqual([...operations].sort());
});

test("the document knows the reasons, in their order, and the refusals", () => {
  expect(document.components.schemas.Reason.enum).toEqual([...REASONS]);
  expect(document.components.schemas.Fault.properties.code.enum).toEqual([...REFUSALS]);
});

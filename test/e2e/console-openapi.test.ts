/** `docs/openapi.yaml` and the running console say the same, in both directions. */
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { createLive } from "../../daemon/console/live.ts";
import { createApp } from "../../daemon/console/routes.ts";
import { REASONS } from "../../daemon/reasons.ts";
import { SimClock } from "../sim/clock.ts";
import {
  basic,
  CARD,
  type House,
  type Message,
  makeRooms,
  openHouse,
  readMessages,
  recordingLog,
  TOKEN,
  tapView,
  wellStatus,
} from "./console-house.ts";

interface Answer {
  $ref?: string;
  content?: Record<string, { schema: object }>;
}
type Operation = { responses: Record<string, Answer> };

const METHODS = ["get", "post", "put", "patch", "delete"];
const document = parse(readFileSync("docs/openapi.yaml", "utf8"));
const paths = document.paths as Record<string, Record<string, Operation>>;
const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.keys(methods)
    .filter((method) => METHODS.includes(method))
    .map((method) => `${method.toUpperCase()} ${path}`),
);

const ajv = new Ajv2020({ strict: false, allErrors: true });
(addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
ajv.addSchema(document, "openapi");

/** The faults of a value that is said to be what stands at `pointer` in the document. */
function faultsOf(value: unknown, pointer: string): unknown {
  const validate = ajv.compile({ $ref: `openapi#${pointer}` });
  return validate(value) ? [] : validate.errors;
}

function pointerOf(parts: readonly string[]): string {
  return parts
    .map((part) => `/${encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))}`)
    .join("");
}

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
): Example {
  const init = { method: "POST", body: body ?? null, headers, duplex: "half" } as RequestInit;
  return { operation: "POST /api/taps", status, path: "/api/taps", init };
}

const EXAMPLES: Example[] = [
  { operation: "GET /", status: 200, path: "/" },
  { operation: "GET /healthz", status: 200, path: "/healthz" },
  { operation: "GET /healthz", status: 503, path: "/healthz", ailing: true },
  { operation: "GET /metrics", status: 200, path: "/metrics" },
  { operation: "GET /api/status", status: 200, path: "/api/status" },
  { operation: "GET /api/status", status: 200, path: "/api/status", ailing: true },
  { operation: "GET /api/taps", status: 200, path: "/api/taps" },
  { operation: "GET /api/taps", status: 200, path: "/api/taps?limit=500&before=50" },
  { operation: "GET /api/taps", status: 200, path: "/api/taps", init: { headers: basic("right") } },
  { operation: "GET /api/taps", status: 400, path: "/api/taps?limit=none" },
  posted(202, JSON.stringify(TAP)),
  posted(400, "{}"),
  posted(411, new Blob(["{}"]).stream()),
  posted(413, JSON.stringify({ ...TAP, credential: "B".repeat(5_000) })),
  posted(415, JSON.stringify(TAP), { "content-type": "text/plain" }),
  posted(422, JSON.stringify({ ...TAP, reader: "north-in-1" })),
  { operation: "GET /api/presence", status: 200, path: "/api/presence", init: { headers: basic("right") } },
  { operation: "GET /api/presence", status: 401, path: "/api/presence" },
  { operation: "GET /api/cards/{card}", status: 200, path: `/api/cards/${CARD}` },
  { operation: "GET /api/cards/{card}", status: 200, path: `/api/cards/${encodeURIComponent(TOKEN)}` },
  { operation: "GET /api/cards/{card}", status: 200, path: "/api/cards/nobody" },
  { operation: "GET /api/cards/{card}", status: 400, path: `/api/cards/${"9".repeat(200)}` },
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
  const type = (response.headers.get("content-type") ?? "").split(";")[0]!;
  const [method, path] = example.operation.split(" ") as [string, string];
  const place = ["paths", path, method.toLowerCase(), "responses", String(example.status)];
  const answer = paths[path]?.[method.toLowerCase()]?.responses[String(example.status)];
  const at = answer?.$ref === undefined ? pointerOf(place) : answer.$ref.slice(1);
  const body = type === "application/json" ? await response.json() : await response.text();
  expect(faultsOf(body, `${at}${pointerOf(["content", type, "schema"])}`)).toEqual([]);
});

test.each(operations)("%s documents what a stranger's page is told", async (operation) => {
  const [method, path] = operation.split(" ") as [string, string];
  expect(paths[path]?.[method.toLowerCase()]?.responses.default).toEqual({
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

test("every documented status of every operation is tried", () => {
  const tried = new Set(EXAMPLES.map(({ operation, status }) => `${operation} ${status}`));
  tried.add("GET /api/events 200").add("GET /api/events 503");
  const documented = operations.flatMap((operation) => {
    const [method, path] = operation.split(" ") as [string, string];
    const statuses = Object.keys(paths[path]![method.toLowerCase()]!.responses);
    return statuses.filter((status) => status !== "default").map((status) => `${operation} ${status}`);
  });
  expect([...tried].sort()).toEqual(documented.sort());
});

test("every route of the console is documented, and no other", () => {
  const { rooms } = makeRooms();
  const app = createApp([], rooms, createLive(new SimClock(), rooms.status), recordingLog([]));
  const routes = app.routes
    .filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`);
  expect([...new Set(routes)].sort()).toEqual([...operations].sort());
});

test("the document knows the reasons, in their order", () => {
  expect(document.components.schemas.Reason.enum).toEqual([...REASONS]);
});

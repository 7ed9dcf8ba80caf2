/** The page for site engineers and the published schema say what the code does: the tables are those of the schema. */
import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { type Described, describe as describeAllowed, formatFault } from "../../config/faults.ts";
import { parseConfiguration } from "../../config/load.ts";
import { CONFIGURATION, publishedSchema } from "../../config/schema.ts";
import { DRIVERS } from "./config-site.ts";

const PAGE = readFileSync("docs/configuration.md", "utf8");
const EXAMPLE = /```yaml\n(.*?)```/s.exec(PAGE)![1]!;
/** `formatter.lineWidth` of biome.json. */
const LINE_WIDTH = 110;

interface Schema extends Described {
  description?: string;
  default?: unknown;
  required?: string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  oneOf?: Schema[];
  if?: Schema;
  then?: Schema;
  else?: Schema;
}

const FILE = CONFIGURATION as unknown as Schema;
const { gateway, cards, readers, accessPoints, mqtt, journal, console, log } = FILE.properties!;
const accessPoint = accessPoints!.items!;
const { relay, passback, inputs } = accessPoint.properties!;
const serial = driversOf(readers!.items!).serial!;
const reads = serial.properties!.reads!;

/** Heading and schema of each table; a heading may have two. */
const TABLES: [heading: string, schema: Schema][] = [
  ["The whole file", FILE],
  ["`gateway`", gateway!],
  ["`cards`", cards!],
  ...Object.entries(driversOf(readers!.items!)).map(([driver, schema]): [string, Schema] => [
    `Reader driver \`${driver}\``,
    schema,
  ]),
  ["`reads`", reads.else!.else!],
  ["`reads`", reads.else!.then!],
  ["`report`", driversOf(readers!.items!).hid!.properties!.report!],
  ["`accessPoints`", accessPoint],
  ["`passback`", passback!],
  ...Object.entries(driversOf(relay!)).map(([driver, schema]): [string, Schema] => [
    `Relay driver \`${driver}\``,
    schema,
  ]),
  ["`inputs`", inputs!],
  ...Object.entries(driversOf(inputs!.properties!.passage!)).map(([driver, schema]): [string, Schema] => [
    `Input driver \`${driver}\``,
    schema,
  ]),
  ["`mqtt`", mqtt!],
  ["`journal`", journal!],
  ["`console`", console!],
  ["`log`", log!],
  ["`tls`", mqtt!.properties!.tls!],
  ["Secrets", mqtt!.properties!.password!],
];

function driversOf(schema: Schema): Record<string, Schema> {
  return Object.fromEntries(
    schema.oneOf!.map((variant) => [variant.properties!.driver!.const as string, variant]),
  );
}

/** A table as the page has it, but for the spaces a formatter puts in. */
function table(schema: Schema): string {
  const rows = Object.entries(schema.properties!).map(([key, field]) => {
    const byDefault =
      field.default === undefined ? "–" : `\`${JSON.stringify(field.default).replaceAll('"', "")}\``;
    const presence = schema.required?.includes(key) ? "_required_" : byDefault;
    const item = field.items ?? field;
    const isSection = item.properties !== undefined && item["x-allowed"] === undefined;
    const words = isSection ? "keys of its own, see below" : describeAllowed(item);
    const allowed = field.items === undefined ? words : `a list of: ${words}`;
    return `|\`${key}\`|${presence}|${field.description}|${allowed}|`;
  });
  return ["|key|default|meaning|allowed|", "|-|-|-|-|", ...rows].join("\n");
}

/** What stands under a heading, up to the next one. */
function sectionOf(heading: string): string {
  const after = PAGE.split(new RegExp(`^#+ ${heading}$`, "m"))[1] ?? "";
  return after
    .split(/^#+ /m)[0]!
    .replaceAll(/ *\| */g, "|")
    .replaceAll(/-+\|/g, "-|");
}

/** JSON as the project's formatter writes it: a list of short values stands on one line. */
function formatted(value: object): string {
  const text = `${JSON.stringify(value, null, 2)}\n`;
  return text.replace(
    /^( *(?:"[^"]*": )?)\[\n([^[\]{}]*?)\n *\](,?)$/gm,
    (whole, before, items: string, comma) => {
      const line = `${before}[${items.trim().replaceAll(/,\n */g, ", ")}]${comma}`;
      return line.length <= LINE_WIDTH ? line : whole;
    },
  );
}

/** Every field of a schema, with a name to show. */
function fieldsOf(schema: Schema, path = ""): [path: string, field: Schema][] {
  const below = [...(schema.oneOf ?? []), schema.items, schema.then, schema.else].filter(
    (part) => part !== undefined,
  );
  return [
    ...Object.entries(schema.properties ?? {}).flatMap(([key, field]): [string, Schema][] => [
      [`${path}.${key}`, field],
      ...fieldsOf(field, `${path}.${key}`),
    ]),
    ...below.flatMap((part) => fieldsOf(part, path)),
  ];
}

describe("docs/configuration.md", () => {
  it("begins with an example that works", () => {
    const result = parseConfiguration(EXAMPLE, "/etc/grindvakt", DRIVERS);
    expect(result).toMatchObject({
      kind: "loaded",
      warnings: [],
      configuration: { gateway: { id: "gate-07" } },
    });
  });

  it("shows faults as they are shown", () => {
    const faulty = EXAMPLE.replace("    reads:", "    baudrate: 9600\n    reads:").replace(
      "pulseMs: 800",
      "pulseMs: 20",
    );
    const result = parseConfiguration(faulty, "/etc/grindvakt", DRIVERS);
    const faults = result.kind === "faults" ? result.faults : [];
    const said = faults.map((fault) => `${formatFault("gate-07.yaml", fault)}\n`);
    expect(said).toHaveLength(2);
    expect(PAGE).toContain(`\`\`\`text\n${said.join("")}\`\`\``);
  });

  it.each(TABLES)("has the table of %s", (heading, schema) => {
    expect(sectionOf(heading)).toContain(table(schema));
  });
});

describe("the published schema", () => {
  it("is the one of the code", async () => {
    await expect(formatted(publishedSchema())).toMatchFileSnapshot(
      "../../docs/schemas/configuration.schema.json",
    );
  });

  it("explains every field in a sentence", () => {
    const fields = fieldsOf(FILE);
    expect(fields.length).toBeGreaterThan(80);
    for (const [path, { description }] of fields) {
      expect(description, path).toMatch(/^[A-Z].*\.$/);
    }
  });

  it("serves an editor that knows nothing of our own keywords", () => {
    const validate = new Ajv({ strict: false }).compile(publishedSchema());
    const page = parse(EXAMPLE);
    expect(validate(page)).toBe(true);
    expect(validate(parse(readFileSync("test/fixtures/config/every-driver.yaml", "utf8")))).toBe(true);
    expect(validate({ ...page, mqqt: {} })).toBe(false);
    expect(validate({ ...page, readers: [{ id: "a", driver: "serial", prot: "/dev/a" }] })).toBe(false);
  });
});

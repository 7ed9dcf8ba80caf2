/**
 * node packaging/sbom.js FILE [--with-node]: the software bill of materials (CycloneDX) of what runs at a site: npm's own, from package-lock.json, without what
 * would make two of the same checkout differ. --with-node: for a package that brings the Node which makes it.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const home = join(dirname(fileURLToPath(import.meta.url)), "..");
const [file, ...flags] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write("usage: node packaging/sbom.js FILE [--with-node]\n");
  process.exit(2);
}

const { name } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
// Not --omit=dev, which leaves out what both a development tool and the program need (npm 11: yaml, minimatch).
const args = ["sbom", "--package-lock-only", "--sbom-format=cyclonedx", "--sbom-type=application"];
const limits = { cwd: home, maxBuffer: 16 * 1024 * 1024, stdio: ["ignore", "pipe", "inherit"] };
const { serialNumber: _, ...bill } = JSON.parse(execFileSync("npm", args, limits).toString());
bill.components = bill.components.filter(({ properties }) => !properties.some(isDevelopment));
const kept = new Set([bill.metadata.component, ...bill.components].map((component) => component["bom-ref"]));
bill.dependencies = bill.dependencies
  .filter(({ ref }) => kept.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((one) => kept.has(one)) }));
delete bill.metadata.timestamp;
// npm calls it by the directory that the checkout lies in.
bill.metadata.component.name = name;
if (flags.includes("--with-node")) bill.components.push(nodeItself());
writeFileSync(file, `${JSON.stringify(bill, null, 2)}\n`);

function isDevelopment({ name, value }) {
  return name === "cdx:npm:package:development" && value === "true";
}

function nodeItself() {
  const { node } = process.versions;
  return {
    "bom-ref": `node@${node}`,
    type: "platform",
    name: "node",
    version: node,
    description: "Node.js, with what it brings: process.versions",
    cpe: `cpe:2.3:a:nodejs:node.js:${node}:*:*:*:*:*:*:*`,
    licenses: [{ license: { id: "MIT" } }],
    components: Object.entries(process.versions)
      .filter(([part]) => part !== "node" && part !== "modules" && part !== "napi")
      .map(([part, version]) => ({
        "bom-ref": `node@${node}/${part}`,
        type: "library",
        name: part,
        version,
      })),
  };
}

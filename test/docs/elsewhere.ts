/**
 * Commands of the README and the docs that the tests beside this file do not carry out: by page and first words, why, and what holds
 * them instead. `every-command.test.ts` holds this list to what stands on the pages.
 */
export interface Elsewhere {
  why: string;
  /** A file that carries the command out, or the very thing that it starts. */
  heldBy: string;
}

const ROOT = "it changes the machine: systemd, udev and accounts, as root";

/** Tests that the page names to be run alone, and that are run with all others anyway. */
function partsOfTheRun(names: readonly string[]): Record<string, Elsewhere> {
  const why = "it is a part of this very run";
  return Object.fromEntries(
    names.map((name) => {
      const heldBy = `test/${name}.test.ts`;
      return [`npx vitest run ${heldBy}`, { why, heldBy }];
    }),
  );
}

/** The centre of a fleet, from an empty machine to the roll call, in the order of its page. */
const ofFleet: Readonly<Record<string, Elsewhere>> = Object.fromEntries(
  [
    "apt-get install",
    "cd /opt/grindvakt",
    "grindvakt feed init",
    "examples/fleet/make-centre",
    "ln -s /srv/fleet/broker",
    "ln -s /srv/fleet/web",
    "sudo -u postgres createdb",
    "sudo -u postgres psql",
    "cp examples/consumer",
    "adduser",
    "systemctl edit",
    "systemctl enable",
    "examples/fleet/add-gate",
    "grindvakt feed set",
    "sudo -u postgres PGDATABASE",
    "grindvakt journal verify",
  ].map((words) => [
    words,
    {
      why: "it wants PostgreSQL, and partly root: npm run test:fleet-example",
      heldBy: "test/fleet/fleet.test.ts",
    },
  ]),
);

export const ELSEWHERE: Readonly<Record<string, Readonly<Record<string, Elsewhere>>>> = {
  "README.md": {
    "npm ci": {
      why: "it asks the registry, and brought what the tests run with",
      heldBy: "test/install/npm.test.ts",
    },
    "npm test": { why: "it is this very run", heldBy: ".ci/run" },
    "npm run sim": { why: "it takes minutes", heldBy: "test/sim/storm-1.test.ts" },
    ...partsOfTheRun([
      "e2e/gate-outage",
      "unit/journal-recovery",
      "e2e/gate-faults",
      "unit/feed-attacks",
      "unit/asyncapi",
    ]),
    "sudo grindvakt install": { why: ROOT, heldBy: "test/install/deb.test.ts" },
  },
  "BENCHMARKS.md": {
    "npm run bench -- --check": { why: "it takes minutes and a machine to itself", heldBy: "bench/run.ts" },
    "npm run bench:peers": { why: "it installs Node-RED, and takes minutes", heldBy: "bench/peers.ts" },
  },
  "CONTRIBUTING.md": {
    "git clone": { why: "it wants an address", heldBy: ".ci/run" },
    "npm ci": { why: "it asks the registry, and brought what the tests run with", heldBy: ".ci/run" },
    "npm test": { why: "it is this very run", heldBy: ".ci/run" },
    "npm run lint": { why: "it looks at the checkout, not at the program", heldBy: ".ci/run" },
  },
  "docs/fleet.md": {
    "npm run bench:fleet": { why: "it takes seven minutes", heldBy: "bench/fleet.ts" },
  },
  "docs/hundred-gates.md": ofFleet,
  "docs/install.md": {
    "sudo apt-get install": { why: ROOT, heldBy: "test/install/deb.test.ts" },
    "sudo nano": { why: "somebody types", heldBy: "test/install/deb.test.ts" },
    "sudo cp root.json": { why: ROOT, heldBy: "test/install/deb.test.ts" },
    "grindvakt check": { why: "of a file that the package brings", heldBy: "test/install/deb.test.ts" },
    "sudo grindvakt install": { why: ROOT, heldBy: "test/install/deb.test.ts" },
  },
  "docs/pcsc.md": {
    "sudo apt-get install": { why: ROOT, heldBy: "test/setup/packages.sh" },
    "npm install": { why: "it compiles, and asks the registry", heldBy: "test/setup/packages.sh" },
    "sudo systemctl": { why: ROOT, heldBy: "test/rig/pcsc.test.ts" },
    "sudo sed": { why: "it changes the machine's libccid, as root", heldBy: "test/rig/acr.test.ts" },
  },
  "docs/rabbitmq.md": {
    rabbitmqctl: { why: "it wants three RabbitMQ nodes", heldBy: "test/cluster/rabbitmq.test.ts" },
  },
  "docs/replacing-a-box.md": {
    "sudo grindvakt install": { why: ROOT, heldBy: "test/install/deb.test.ts" },
  },
  "docs/service.md": {
    "sudo grindvakt install": { why: ROOT, heldBy: "test/install/deb.test.ts" },
    "cd /etc/grindvakt": { why: ROOT, heldBy: "test/unit/install.test.ts" },
    "name=$(sudo": { why: ROOT, heldBy: "test/unit/install.test.ts" },
    "sudo systemd-creds": {
      why: "it wants systemd, and a TPM or its key",
      heldBy: "test/unit/install.test.ts",
    },
  },
  "docs/simulation.md": {
    "npm run sim -- --seeds": { why: "it takes minutes", heldBy: "test/sim/storm-1.test.ts" },
    "npm run sim -- --hours": { why: "it takes hours", heldBy: "test/sim/year.test.ts" },
    "npm run sim -- --offline": { why: "it takes minutes", heldBy: "test/sim/year.test.ts" },
  },
};
